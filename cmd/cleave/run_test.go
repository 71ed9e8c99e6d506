package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// cleave runs the command line in this process.
func cleave(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	root := newRoot()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

// doubling writes a model that doubles a vector of three, by an op of the given type with itself.
func doubling(t *testing.T, dir, opType string) string {
	t.Helper()
	b := split.NewBuilder("doubling", 21)
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{3}})
	y := b.Value("y", split.Type{DType: tensor.Float32, Shape: tensor.Shape{3}})
	b.Add(split.Op{Name: "twice", Type: opType, Inputs: []split.ValueID{x, x}, Outputs: []split.ValueID{y}})
	b.Output(y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	data, err := onnx.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeVector(t *testing.T, path string, v ...float32) {
	t.Helper()
	if err := writeNPY(path, tensor.Of(tensor.Float32, tensor.Shape{len(v)}, v...)); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	model, in := doubling(t, dir, "Add"), filepath.Join(dir, "x.npy")
	writeVector(t, in, 1, 2, 3)
	out, err := cleave(t, "run", model, "--input", "x="+in, "--save", dir, "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r runReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "y.npy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	y, err := tensor.ReadNPY(f)
	if err != nil {
		t.Fatal(err)
	}
	if want := tensor.Of(tensor.Float32, tensor.Shape{3}, float32(2), 4, 6); !y.Equal(want) || len(r.Outputs) != 1 || *r.Outputs[0].Max != 6 {
		t.Errorf("got %v, report %+v", tensor.Data[float32](y), r.Outputs)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	model := doubling(t, dir, "Add")
	good, short := filepath.Join(dir, "x.npy"), filepath.Join(dir, "short.npy")
	writeVector(t, good, 1, 2, 3)
	writeVector(t, short, 1, 2)
	corrupt, strange := filepath.Join(dir, "corrupt.onnx"), doubling(t, t.TempDir(), "Flurble")
	if err := os.WriteFile(corrupt, []byte("not a model at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		wants []string // what the one line must name
	}{
		{"no model", []string{"run"}, []string{"cleave run FILE.onnx"}},
		{"no file", []string{"run", filepath.Join(dir, "none.onnx")}, []string{"none.onnx"}},
		{"corrupt file", []string{"run", corrupt}, []string{"corrupt.onnx"}},
		{"unknown op", []string{"run", strange, "--input", "x=" + good}, []string{"Flurble"}},
		{"missing input", []string{"run", model}, []string{`"x"`, "--input x=FILE.npy"}},
		{"unknown input", []string{"run", model, "--input", "z=" + good}, []string{"z", "x"}},
		{"wrong shape", []string{"run", model, "--input", "x=" + short}, []string{"x", "3", "2"}},
		{"not a tensor", []string{"run", model, "--input", "x=" + model}, []string{".npy"}},
		{"no such engine", []string{"run", model, "--engine", "warp"}, []string{"warp", "native"}},
		{"bad limit", []string{"run", model, "--memory-limit", "lots"}, []string{"lots", "64MiB"}},
		{"bad threads", []string{"run", model, "--threads", "-1"}, []string{"--threads"}},
		{"empty suite", []string{"suite", t.TempDir()}, []string{"no test cases", "model.onnx"}},
		{"bad shape", []string{"bench", model, "--shape", "x=3,4"}, []string{"3,4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cleave(t, c.args...)
			if err == nil {
				t.Fatal("was accepted")
			}
			line := err.Error()
			if strings.Contains(line, "\n") {
				t.Errorf("more than one line: %q", line)
			}
			for _, w := range c.wants {
				if !strings.Contains(line, w) {
					t.Errorf("%q does not say %q", line, w)
				}
			}
		})
	}
}

func TestBench(t *testing.T) {
	out, err := cleave(t, "bench", doubling(t, t.TempDir(), "Add"), "--time", "1ms", "--groups", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var r benchReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Runs < 3 || r.MedianMS <= 0 || len(r.Groups) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSuite(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]float32{"right": 6, "wrong": 7} {
		folder := filepath.Join(dir, name)
		set := filepath.Join(folder, "test_data_set_0")
		if err := os.MkdirAll(set, 0o755); err != nil {
			t.Fatal(err)
		}
		doubling(t, folder, "Add")
		for file, v := range map[string]*tensor.Tensor{
			"input_0.pb":  tensor.Of(tensor.Float32, tensor.Shape{3}, float32(1), 2, 3),
			"output_0.pb": tensor.Of(tensor.Float32, tensor.Shape{3}, float32(2), 4, want),
		} {
			pb, err := onnx.WriteTensor("", v)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(set, file), pb, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := cleave(t, "suite", dir)
	if err == nil {
		t.Error("a failing suite must fail")
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; last != "1 passed, 1 failed" {
		t.Errorf("last line is %q", last)
	}
	if !strings.Contains(out, "pass  right") || !strings.Contains(out, "FAIL  wrong: ") || !strings.Contains(out, "Add     1 passed     1 failed") {
		t.Errorf("printed:\n%s", out)
	}
}
