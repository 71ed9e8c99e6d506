package node

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

const exitChannels = 8

// exitModel has an early exit: the means of the input's channels are its logits. What follows is far more work; its result is the input.
func exitModel(t *testing.T) []byte {
	t.Helper()
	b := split.NewBuilder("exits", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, exitChannels, 48, 48}})
	means := b.Op("GlobalAveragePool", nil, x)
	early := b.Value("early", split.Type{})
	b.Add(split.Op{Name: "head", Type: "Flatten", Inputs: []split.ValueID{means}, Outputs: []split.ValueID{early}})
	b.Output(early)
	for k := range 8 {
		weights := make([]float32, exitChannels*exitChannels*9)
		for c := range exitChannels {
			weights[(c*exitChannels+c)*9+4] = 1 // a 3x3 convolution that changes nothing
		}
		w := b.Const(fmt.Sprintf("w%d", k), tensor.Of(tensor.Float32, tensor.Shape{exitChannels, exitChannels, 3, 3}, weights...))
		y := b.Value(fmt.Sprintf("y%d", k), split.Type{})
		b.Add(split.Op{Name: fmt.Sprintf("conv%d", k), Type: "Conv", Inputs: []split.ValueID{x, w}, Outputs: []split.ValueID{y}, Attrs: map[string]split.Attr{"pads": []int64{1, 1, 1, 1}}})
		x = y
	}
	b.Output(x)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	g.Metadata = map[string]string{split.ExitsKey: `[{"output": "early", "share": 0.6, "rule": "confidence", "threshold": 0.9}]`}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// exitInput is a picture whose first channel is level, the others 0.
func exitInput(level float32) map[string]*tensor.Tensor {
	const channel = 48 * 48
	data := make([]float32, exitChannels*channel)
	for i := range data[:channel] {
		data[i] = level
	}
	return map[string]*tensor.Tensor{"x": tensor.Of(tensor.Float32, tensor.Shape{1, exitChannels, 48, 48}, data...)}
}

// TestRequestLeavesAtItsExit runs sure and unsure requests over a mesh: where the device does everything itself, and where it is so slow
// that the cloud runs what follows the exit.
func TestRequestLeavesAtItsExit(t *testing.T) {
	for _, speed := range []float64{1, 0.001} {
		t.Run(fmt.Sprintf("speed %g", speed), func(t *testing.T) {
			exact := func(c *Config) { c.MaxLoss = -1 }
			device := testNode(t, "device", func(c *Config) { exact(c); c.Speed = speed })
			token := testToken(t, device, 1)
			cloud := testNode(t, "cloud", func(c *Config) { exact(c); c.Join = token })
			for _, n := range []*Node{device, cloud} {
				until(t, "both to know each other", func() error {
					if k := len(n.peers.usable()); k != 2 {
						return fmt.Errorf("%d of 2 nodes", k)
					}
					return nil
				})
			}
			c := testClient(t, device)
			if _, err := c.Push(t.Context(), "exits", bytes.NewReader(exitModel(t)), client.PushOptions{}); err != nil {
				t.Fatal(err)
			}
			untilProfiled(t, c, "exits", 2)
			plan, err := c.Plan(t.Context(), client.PlanRequest{Model: "exits", Install: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Answers) != 2 || plan.Answers[0].Exit != "early" || plan.Answers[0].MS >= plan.Answers[1].MS || plan.PredictedMS >= plan.Answers[1].MS {
				t.Fatalf("the plan answers %+v, predicted %g ms\n%s", plan.Answers, plan.PredictedMS, plan.Picture)
			}
			for _, tt := range []struct {
				level float32
				exits string
				exit  string
				want  []string
			}{
				{20, "", "early", []string{"early"}},
				{1, "", "", []string{"y7"}},
				{20, client.ExitsOff, "", []string{"early", "y7"}},
				{20, "", "early", []string{"early"}},
			} {
				in := exitInput(tt.level)
				res, err := c.Infer(t.Context(), client.InferRequest{Model: "exits", Inputs: in, Exits: tt.exits})
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(res.Order) != fmt.Sprint(tt.want) || res.Report.Exit != tt.exit || res.Report.Replanned {
					t.Errorf("level %g, exits %q: answered at %q with %v: %+v", tt.level, tt.exits, res.Report.Exit, res.Order, res.Report)
				}
				if y := res.Outputs["y7"]; y != nil && !y.Equal(in["x"]) {
					t.Errorf("level %g: the end is not the input", tt.level)
				}
				if e := res.Outputs["early"]; e != nil && tensor.Data[float32](e)[0] != tt.level {
					t.Errorf("level %g: the exit says %v", tt.level, tensor.Data[float32](e))
				}
				remote := slices.ContainsFunc(res.Report.Stages, func(s client.StageRun) bool { return s.Node == "cloud" })
				if res.Report.PredictedMS <= 0 || tt.exit != "" && res.Report.PredictedMS != plan.Answers[0].MS {
					t.Errorf("predicted %g ms, the plan answers %+v", res.Report.PredictedMS, plan.Answers)
				}
				if speed < 1 && tt.exit == "" && !remote {
					t.Errorf("a request that went on stayed on the device: %+v", res.Report)
				}
				if speed == 1 && tt.exit != "" && (res.Report.Bytes > 0 || len(res.Report.Stages) != 1) {
					t.Errorf("a request that left on the device went on: %+v", res.Report)
				}
			}
		})
	}
}
