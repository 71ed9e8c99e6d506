package node

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/node/placement"
	"github.com/cleave-mesh/cleave/node/store"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
	"github.com/cleave-mesh/cleave/transport"
)

// calibrated measures the test model on crops of the demo's picture: a coarse ladder at some cuts; 0 means all.
func calibrated(t *testing.T, cuts int) (*calibrate.File, []tensor.Value) {
	t.Helper()
	b, err := os.Open("../internal/demo/assets/astronaut.jpg")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	picture, _, err := image.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	g, err := onnx.Load(testModel)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := bind(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = suite.Prepare(g, bound); err != nil {
		t.Fatal(err)
	}
	pixels, err := calibrate.ParsePixels("scale=127.5,offset=-1")
	if err != nil {
		t.Fatal(err)
	}
	var samples [][]tensor.Value
	for i := range 4 {
		x, err := calibrate.Sample([]image.Image{picture}, 3-i, g.Values[g.Inputs[0]].Shape, pixels)
		if err != nil {
			t.Fatal(err)
		}
		samples = append(samples, []tensor.Value{x})
	}
	var ladder []codec.Spec
	for _, text := range []string{"lossless", "float16", "uniform:rel=0.05", "uniform:rel=0.2"} {
		s, err := codec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		ladder = append(ladder, s)
	}
	f, err := calibrate.Run(t.Context(), g, samples, calibrate.Options{
		Backend: native.New(native.Config{}), Engine: engine.Options{Threads: 1}, Ladder: ladder, MaxCuts: cuts,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f, samples[3] // the whole picture
}

func written(t *testing.T, f *calibrate.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCalibratedModelIsSplitUnderItsTables(t *testing.T) {
	nodes := testMesh(t, "device", "edge")
	c := testClient(t, nodes[0])
	pushModel(t, c, len(nodes))
	file, in := calibrated(t, 0)
	// Times of a test's machine decide nothing: coding is free here, so that the fewest bytes win.
	for i := range file.Values {
		for k := range file.Values[i].Points {
			file.Values[i].Points[k].EncodeNS, file.Values[i].Points[k].DecodeNS = 0, 0
		}
	}
	m, err := c.Calibrate(t.Context(), "faces", bytes.NewReader(written(t, file)), false)
	if err != nil {
		t.Fatal(err)
	}
	if m.Calibration == nil {
		t.Fatal("the model's document says nothing of its calibration")
	}
	d := store.Digest(m.Calibration.Digest)
	for _, n := range nodes {
		until(t, "the calibration to be everywhere", func() error {
			if n.calibrations.get(d) == nil {
				return fmt.Errorf("%s has not read it", n.Name())
			}
			return nil
		})
	}
	exact, err := c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Install: true})
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]*tensor.Tensor{exactInput(t): in[0].(*tensor.Tensor)}
	want, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: exact.ID, Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []client.PlanRequest{{MaxLoss: 0.5}, {Agreement: 0.99}} {
		r.Model, r.Strategy, r.Install, r.Via = "faces", client.BestInputsStay, true, []string{"device", "edge"}
		plan := tablePlan(t, c, r)
		got, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: plan.ID, Inputs: inputs})
		if err != nil {
			t.Fatal(err)
		}
		var a, b []*tensor.Tensor
		for _, name := range want.Order {
			a, b = append(a, want.Outputs[name]), append(b, got.Outputs[name])
		}
		task, err := calibrate.FindTask(file.Task, shapesOf(a))
		if err != nil {
			t.Fatal(err)
		}
		if same, all := task.Agree(a, b); all == 0 || same != all {
			t.Errorf("%+v: %d of %d boxes stay", r, same, all)
		}
	}
	framesNeedTheirTables(t, nodes[0], nodes[1], file, m)
}

// tablePlan is a plan that carries at least one value under a calibrated table, and says what that does to the answer.
func tablePlan(t *testing.T, c *client.Client, r client.PlanRequest) client.Plan {
	t.Helper()
	plan, err := c.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range plan.Transfers {
		if !strings.Contains(tr.Codec, "table=") {
			continue
		}
		if tr.Calibrated == nil || tr.Calibrated.Bits <= 0 || tr.Calibrated.Answers == 0 {
			t.Errorf("transfer of %s as %s does not say what it was calibrated to", tr.Value, tr.Codec)
		}
		if !strings.Contains(plan.Picture, "bits per element") {
			t.Errorf("the picture does not say the bits per element:\n%s", plan.Picture)
		}
		return plan
	}
	t.Fatalf("no transfer under a table: %+v", plan.Transfers)
	return plan
}

func shapesOf(list []*tensor.Tensor) (s []tensor.Shape) {
	for _, t := range list {
		s = append(s, t.Shape())
	}
	return s
}

func exactInput(t *testing.T) string {
	t.Helper()
	in, _ := local(t)
	for name := range in {
		return name
	}
	t.Fatal("the model has no input")
	return ""
}

// framesNeedTheirTables holds a node to fetching or refusing the calibration that a frame names.
func framesNeedTheirTables(t *testing.T, device, edge *Node, file *calibrate.File, m client.Model) {
	d, model := store.Digest(m.Calibration.Digest), store.Digest(m.Digest)
	g, err := edge.graphs.get(t.Context(), model, nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := func(digest store.Digest) []byte {
		f := placement.Frame{
			Model: string(model), Graph: g.digest, Nodes: []transport.PeerID{device.mesh.ID(), edge.mesh.ID()}, Backends: []string{"", ""},
			Calibration: string(digest),
		}
		b, _, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// A node that has lost the file fetches it.
	edge.calibrations.forget(d)
	if err := edge.folder.RemoveCalibration(d); err != nil {
		t.Fatal(err)
	}
	f, err := edge.installFrame(t.Context(), frame(d))
	if err != nil {
		t.Fatal(err)
	}
	if f.coder == nil {
		t.Error("a frame with a calibration has no tables")
	}
	// A file that nobody has, and one of another graph, keep the plan from being installed.
	foreign := *file
	foreign.Digest = strings.Repeat("ab", 32)
	other, err := edge.folder.AddCalibration(written(t, &foreign))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d    store.Digest
		want error
	}{{store.Digest(strings.Repeat("00", 32)), store.ErrNotFound}, {other, calibrate.ErrForeign}, {"short", placement.ErrFrame}} {
		if _, err := edge.installFrame(t.Context(), frame(c.d)); !errors.Is(err, c.want) {
			t.Errorf("calibration %s: %v, want %v", c.d, err, c.want)
		}
	}
	// Without the table, a value's bytes are an error and no tensor.
	spec, v := tableOf(t, file, g.graph)
	x, err := tensor.New(tensor.Float32, v.Shape)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.coder.Append(nil, x, spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.Decode(b, codec.Limits{}); !errors.Is(err, codec.ErrTable) {
		t.Errorf("decoded without its table: %v", err)
	}
}

// tableOf is a spec with a table and the value that it is for.
func tableOf(t *testing.T, f *calibrate.File, g *split.Graph) (codec.Spec, *split.Value) {
	t.Helper()
	for i := range f.Values {
		for _, p := range f.Values[i].Points {
			s, err := codec.Parse(p.Codec)
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(g.Values, func(v split.Value) bool { return v.Name == f.Values[i].Name })
			if s.Params["table"] != "" && at >= 0 {
				return s, &g.Values[at]
			}
		}
	}
	t.Fatal("no value has a table")
	return codec.Spec{}, nil
}

func TestCalibrationsThatAreRefused(t *testing.T) {
	n := testNode(t, "device", nil)
	c := testClient(t, n)
	b, err := os.ReadFile(testModel)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Push(t.Context(), "faces", bytes.NewReader(b), client.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	file, _ := calibrated(t, 2)
	good := written(t, file)
	foreign, wrongShape, unknown := *file, *file, *file
	foreign.Digest = strings.Repeat("ab", 32)
	wrongShape.Shapes = map[string][]int{exactInput(t): {2, 128, 128, 3}}
	unknown.Shapes = map[string][]int{"no such input": {1}}
	for _, k := range []struct {
		what  string
		file  []byte
		parts []string
	}{
		{"of another model", written(t, &foreign), []string{"calibration of another model", "run cleave calibrate"}},
		{"at another shape", written(t, &wrongShape), []string{"calibration of another model"}},
		{"of an unknown input", written(t, &unknown), []string{"calibration of another model", "no such input"}},
		{"truncated", good[:len(good)/2], []string{"bad calibration file"}},
		{"empty", nil, []string{"bad calibration file"}},
		{"with a table changed", bytes.Replace(good, []byte(`"tables": {`), []byte(`"tables": {"0123456789abcdef": "AQ==",`), 1), []string{"bad calibration file", "0123456789abcdef"}},
		{"of another version", bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": 9`), 1), []string{"bad calibration file", "version is 9"}},
	} {
		t.Run(k.what, func(t *testing.T) {
			_, err := c.Calibrate(t.Context(), "faces", bytes.NewReader(k.file), false)
			var status *client.StatusError
			if !errors.As(err, &status) || status.Code != 400 {
				t.Fatalf("answered %v", err)
			}
			oneLine(t, err, k.parts...)
		})
	}
	if _, err := c.Calibrate(t.Context(), "nobody", bytes.NewReader(good), false); err == nil {
		t.Error("an unknown model is calibrated")
	}
	if m, err := c.Model(t.Context(), "faces"); err != nil || m.Calibration != nil {
		t.Errorf("a refused file stays: %+v, %v", m.Calibration, err)
	}
}
