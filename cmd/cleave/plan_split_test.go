package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// withExit writes a model of three convolutions with an output after the first, which is declared as an exit for most requests.
func withExit(t *testing.T, declaration string) string {
	t.Helper()
	b := split.NewBuilder("exits", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 8, 48, 48}})
	for k, name := range []string{"early", "middle", "late"} {
		w := b.Const("w"+name, tensor.Of(tensor.Float32, tensor.Shape{8, 8, 3, 3}, make([]float32, 576)...))
		y := b.Value(name, split.Type{})
		b.Add(split.Op{Name: "conv" + name, Type: "Conv", Inputs: []split.ValueID{x, w}, Outputs: []split.ValueID{y}, Attrs: map[string]split.Attr{"pads": []int64{1, 1, 1, 1}}})
		if x = y; k != 1 {
			b.Output(y)
		}
	}
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if declaration != "" {
		g.Metadata = map[string]string{split.ExitsKey: declaration}
	}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "exits.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPlanWithExits(t *testing.T) {
	path := withExit(t, `[{"output": "early", "share": 0.9, "loss": 0.01, "rule": "confidence", "threshold": 0.9}]`)
	// On one machine the exit pays whatever the machine's speed.
	alone := filepath.Join(t.TempDir(), "alone.yaml")
	if err := os.WriteFile(alone, []byte("nodes:\n  - {name: device, tier: device}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := cleave(t, "plan", path, "--topology", alone, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r planReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Exits == nil || len(r.Exits.Used) != 1 || r.Exits.Used[0].Output != "early" || r.Exits.ExpectedMS >= r.Exits.EndMS || !r.Optimal {
		t.Errorf("exits %+v, optimal %v", r.Exits, r.Optimal)
	}
	if out, err = cleave(t, "plan", path, "--topology", alone); err != nil || !strings.Contains(out, "Early exits: 1 of 1 in use") || !strings.Contains(out, ": expected latency ") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := cleave(t, "plan", withExit(t, `[{"output": "nothing"}]`)); err == nil || !strings.Contains(err.Error(), `no output "nothing"`) {
		t.Errorf("an exit that is no output: %v", err)
	}
}

func TestPlanLooksForSplits(t *testing.T) {
	path, profile := withExit(t, ""), filepath.Join(t.TempDir(), "profile.json")
	out, err := cleave(t, "plan", path, "--topology", "../../planner/testdata/boxes.yaml", "--profile-out", profile)
	if err != nil || !strings.Contains(out, "Operator split") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := cleave(t, "plan", profile, "--topology", "../../planner/testdata/boxes.yaml"); err != nil {
		t.Errorf("the profile that was written: %v", err)
	}
	if out, err = cleave(t, "plan", path, "--splits", "off"); err != nil || strings.Contains(out, "Operator split") {
		t.Errorf("--splits off: %v\n%s", err, out)
	}
	if _, err = cleave(t, "plan", path, "--splits", "perhaps"); err == nil {
		t.Error("--splits perhaps is taken")
	}
}
