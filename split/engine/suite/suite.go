// Package suite runs ONNX backend tests: folders that hold model.onnx and test_data_set_N/input_K.pb, output_K.pb.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// Case is one folder.
type Case struct {
	Name string // its path below the suite's directory
	Dir  string
}

// Result says how a case went.
type Result struct {
	Name string   `json:"name"`
	Ops  []string `json:"ops"` // types of the model's ops as the file has them after import, each once, ascending
	Pass bool     `json:"pass"`
	// Error is why it did not pass.
	Error string `json:"error,omitempty"`
	// Difference is the largest distance of an output from the expected one, relative to the expected output's range.
	Difference float64 `json:"difference"`
}

// ErrNoCases is wrapped when a directory holds no test case.
var ErrNoCases = errors.New("no test cases")

// Find lists the cases at and below dir by name.
func Find(dir string) ([]Case, error) {
	var cases []Case
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() != "model.onnx" {
			return nil
		}
		folder := filepath.Dir(path)
		sets, err := filepath.Glob(filepath.Join(folder, "test_data_set_*"))
		if err != nil || len(sets) == 0 {
			return err
		}
		name, err := filepath.Rel(dir, folder)
		if err != nil {
			return err
		}
		if name == "." {
			name = filepath.Base(dir)
		}
		cases = append(cases, Case{Name: name, Dir: folder})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find test cases: %w", err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%w below %s: a case is a folder with model.onnx and test_data_set_0", ErrNoCases, dir)
	}
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases, nil
}

// Set is one data set of a case.
type Set struct{ In, Out []tensor.Value }

// Sets reads a case's data sets.
func Sets(c Case, g *split.Graph) ([]Set, error) {
	dirs, err := filepath.Glob(filepath.Join(c.Dir, "test_data_set_*"))
	if err != nil {
		return nil, err
	}
	var sets []Set
	for _, d := range dirs {
		var s Set
		if s.In, err = values(d, "input", g, g.Inputs); err != nil {
			return nil, err
		}
		if s.Out, err = values(d, "output", g, g.Outputs); err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// values reads the files prefix_0.pb, prefix_1.pb, ... that stand for ids.
func values(dir, prefix string, g *split.Graph, ids []split.ValueID) ([]tensor.Value, error) {
	var vs []tensor.Value
	for i, id := range ids {
		path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", prefix, i))
		pb, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		v, err := onnx.ReadValue(pb, g.Values[id].Type())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		vs = append(vs, halves(v, g.Values[id].DType))
	}
	return vs, nil
}

// halves reads a file of uint16 that stands for bfloat16 as what it means: NumPy, which wrote the tests, has no such type.
func halves(v tensor.Value, declared tensor.DType) tensor.Value {
	t, ok := v.(*tensor.Tensor)
	if !ok || declared != tensor.BFloat16 || t.DType() != tensor.Uint16 {
		return v
	}
	if h, err := tensor.FromBytes(declared, t.Shape(), t.Bytes()); err == nil {
		return h
	}
	return v
}

// Run runs one case.
func Run(ctx context.Context, b engine.Backend, c Case, opts engine.Options) Result {
	r := Result{Name: c.Name}
	if err := run(ctx, b, c, opts, &r); err != nil {
		r.Error = err.Error()
		return r
	}
	r.Pass = true
	return r
}

func run(ctx context.Context, b engine.Backend, c Case, opts engine.Options, r *Result) error {
	g, err := onnx.Load(filepath.Join(c.Dir, "model.onnx"))
	if err != nil {
		return err
	}
	r.Ops = opTypes(g)
	sets, err := Sets(c, g)
	if err != nil {
		return err
	}
	for _, s := range sets {
		shapes := map[string]tensor.Shape{}
		for i, id := range g.Inputs {
			if t, ok := s.In[i].(*tensor.Tensor); ok {
				shapes[g.Values[id].Name] = t.Shape()
			}
		}
		ready, err := backends.Prepare(g, shapes)
		if err != nil {
			return err
		}
		exe, err := b.Compile(ctx, ready, opts)
		if err != nil {
			return err
		}
		got, err := exe.Run(ctx, s.In)
		if err == nil {
			err = compareAll(g, got, s.Out, r)
		}
		if err := errors.Join(err, exe.Close()); err != nil {
			return err
		}
	}
	return nil
}

func compareAll(g *split.Graph, got, want []tensor.Value, r *Result) error {
	for i, w := range want {
		diff, err := Compare(got[i], w)
		r.Difference = max(r.Difference, diff)
		if err != nil {
			return fmt.Errorf("output %q: %w", g.Values[g.Outputs[i]].Name, err)
		}
	}
	return nil
}

// opTypes are the types of a graph's ops, subgraphs included.
func opTypes(g *split.Graph) []string {
	var types []string
	var collect func(g *split.Graph)
	collect = func(g *split.Graph) {
		for i := range g.Ops {
			op := &g.Ops[i]
			name := op.Type
			if op.Domain != "" {
				name = op.Domain + "." + name
			}
			types = append(types, name)
			for _, a := range op.Attrs {
				if body, ok := a.(*split.Graph); ok {
					collect(body)
				}
			}
		}
	}
	collect(g)
	slices.Sort(types)
	return slices.Compact(types)
}
