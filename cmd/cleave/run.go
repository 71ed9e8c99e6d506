package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// engineFlags are the flags that every command that compiles a model has.
type engineFlags struct {
	engine      string
	threads     int
	memoryLimit string
}

func (f *engineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.engine, "engine", "auto", "engine to use: auto, native or ort")
	cmd.Flags().IntVar(&f.threads, "threads", 0, "cores to use; 0 means all")
	cmd.Flags().StringVar(&f.memoryLimit, "memory-limit", "", "most memory for weights and activations, for example 64MiB")
}

func (f *engineFlags) options() (engine.Options, error) {
	o := engine.Options{Threads: f.threads}
	if f.threads < 0 {
		return o, fmt.Errorf("--threads %d is negative: use 0 for all cores", f.threads)
	}
	var err error
	if f.memoryLimit != "" {
		o.MemoryLimit, err = parseBytes(f.memoryLimit)
	}
	return o, err
}

// parseBytes reads a size such as 1500, 64KiB, 20MB or 1.5GiB.
func parseBytes(s string) (int64, error) {
	units := []struct {
		suffix string
		factor float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || v <= 0 || v*u.factor > math.MaxInt64/2 || v != v {
			break
		}
		return int64(v * u.factor), nil
	}
	return 0, fmt.Errorf("%q is not a size: write for example 64MiB", s)
}

// tensorReport describes a tensor in JSON.
type tensorReport struct {
	Name  string       `json:"name"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	Min   *float64     `json:"min,omitempty"`
	Max   *float64     `json:"max,omitempty"`
	Mean  *float64     `json:"mean,omitempty"`
	File  string       `json:"file,omitempty"`
}

type runReport struct {
	Model       string         `json:"model"`
	Engine      string         `json:"engine"`
	Version     string         `json:"version"`
	CompileMS   float64        `json:"compile_ms"`
	RunMS       float64        `json:"run_ms"`
	Weights     int64          `json:"weight_bytes"`
	Activations int64          `json:"activation_bytes"`
	Outputs     []tensorReport `json:"outputs"`
}

func newRun() *cobra.Command {
	var flags engineFlags
	var inputs []string
	var save string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run FILE.onnx",
		Short: "Run a model on this machine, without a mesh",
		Args:  oneArgument("run needs the path of a model: cleave run FILE.onnx"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := runModel(cmd, args[0], inputs, save, &flags)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			printRun(cmd.OutOrStdout(), r)
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().StringArrayVar(&inputs, "input", nil, "an input as NAME=FILE, with a .npy or .pb (TensorProto) file; repeat for each")
	cmd.Flags().StringVar(&save, "save", "", "directory to write every output to, as NAME.npy")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

// oneArgument refuses any other number of arguments with a sentence that says what is needed.
func oneArgument(remedy string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("got %d arguments: %s", len(args), remedy)
		}
		return nil
	}
}

func runModel(cmd *cobra.Command, path string, inputs []string, save string, flags *engineFlags) (*runReport, error) {
	opts, err := flags.options()
	if err != nil {
		return nil, err
	}
	backend, err := backends.Lookup(flags.engine)
	if err != nil {
		return nil, err
	}
	g, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	in, err := readInputs(g, inputs)
	if err != nil {
		return nil, err
	}
	r := &runReport{Model: path, Engine: backend.Name(), Version: backend.Version()}
	start := time.Now()
	ready, err := backends.Prepare(g, inputShapes(g, in))
	if err != nil {
		return nil, err
	}
	exe, err := backend.Compile(cmd.Context(), ready, opts)
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	r.CompileMS = milliseconds(time.Since(start))
	start = time.Now()
	out, err := exe.Run(cmd.Context(), in)
	if err != nil {
		return nil, err
	}
	r.RunMS = milliseconds(time.Since(start))
	m := exe.Memory()
	r.Weights, r.Activations = m.Weights, m.Activations
	for i, v := range out {
		t, err := reportOutput(g.Values[g.Outputs[i]].Name, v, save)
		if err != nil {
			return nil, err
		}
		r.Outputs = append(r.Outputs, t...)
	}
	return r, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// readInputs reads the files of --input flags, in the order of the model's inputs.
func readInputs(g *split.Graph, flags []string) ([]tensor.Value, error) {
	in := make([]tensor.Value, len(g.Inputs))
	for _, f := range flags {
		name, path, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("--input %q: write NAME=FILE", f)
		}
		at := -1
		var names []string
		for i, id := range g.Inputs {
			names = append(names, g.Values[id].Name)
			if g.Values[id].Name == name {
				at = i
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("--input %s: the model has no such input; it has %s", name, strings.Join(names, ", "))
		}
		v, err := readValue(path, g.Values[g.Inputs[at]].Type())
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", name, err)
		}
		in[at] = v
	}
	for i, id := range g.Inputs {
		if in[i] == nil {
			v := &g.Values[id]
			return nil, fmt.Errorf("input %q (%s) is missing: add --input %s=FILE.npy", v.Name, v.Type(), v.Name)
		}
	}
	return in, nil
}

func readValue(path string, typ split.Type) (tensor.Value, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	switch filepath.Ext(path) {
	case ".pb":
		return onnx.ReadValue(data, typ)
	case ".npy":
		return tensor.ReadNPY(strings.NewReader(string(data)))
	}
	return nil, fmt.Errorf("%s is neither a .npy nor a .pb file", path)
}

func inputShapes(g *split.Graph, in []tensor.Value) map[string]tensor.Shape {
	shapes := map[string]tensor.Shape{}
	for i, id := range g.Inputs {
		if t, ok := in[i].(*tensor.Tensor); ok {
			shapes[g.Values[id].Name] = t.Shape()
		}
	}
	return shapes
}

// reportOutput describes an output and writes it below dir when that is not empty. A sequence is reported item by item.
func reportOutput(name string, v tensor.Value, dir string) ([]tensorReport, error) {
	switch v := v.(type) {
	case *tensor.Sequence:
		var all []tensorReport
		for i, item := range v.Items {
			r, err := reportOutput(fmt.Sprintf("%s.%d", name, i), item, dir)
			if err != nil {
				return nil, err
			}
			all = append(all, r...)
		}
		return all, nil
	case *tensor.Optional:
		if v.Item == nil {
			return nil, nil
		}
		return reportOutput(name, v.Item, dir)
	case *tensor.Tensor:
		r := tensorReport{Name: name, DType: v.DType().String(), Shape: v.Shape()}
		r.Min, r.Max, r.Mean = statistics(v)
		if dir != "" {
			r.File = filepath.Join(dir, fileName(name)+".npy")
			if err := writeNPY(r.File, v); err != nil {
				return nil, err
			}
		}
		return []tensorReport{r}, nil
	}
	return nil, fmt.Errorf("output %q is a %T", name, v)
}

// fileName is name with everything but letters, digits, dots, dashes and underscores replaced.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("._-", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
}

func writeNPY(path string, t *tensor.Tensor) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	return tensor.WriteNPY(f, t)
}

// statistics are nil for tensors that are empty, or whose elements are no real float32 numbers or 64-bit integers.
func statistics(t *tensor.Tensor) (lo, hi, mean *float64) {
	var v []float64
	switch t.DType() {
	case tensor.Float32:
		for _, x := range tensor.Data[float32](t) {
			v = append(v, float64(x))
		}
	case tensor.Int64:
		for _, x := range tensor.Data[int64](t) {
			v = append(v, float64(x))
		}
	}
	if len(v) == 0 {
		return nil, nil, nil
	}
	a, b, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, x := range v {
		a, b, sum = min(a, x), max(b, x), sum+x
	}
	sum /= float64(len(v))
	for _, x := range []float64{a, b, sum} {
		if math.IsNaN(x) || math.IsInf(x, 0) { // JSON has neither
			return nil, nil, nil
		}
	}
	return &a, &b, &sum
}

func printRun(w io.Writer, r *runReport) {
	fmt.Fprintf(w, "%s on %s (%s): compiled in %.1f ms, ran in %.2f ms, %.1f MiB of weights, %.1f MiB of activations\n",
		r.Model, r.Engine, r.Version, r.CompileMS, r.RunMS, float64(r.Weights)/(1<<20), float64(r.Activations)/(1<<20))
	for _, o := range r.Outputs {
		fmt.Fprintf(w, "  %s  %s %v", o.Name, o.DType, o.Shape)
		if o.Min != nil {
			fmt.Fprintf(w, "  min %.6g  max %.6g  mean %.6g", *o.Min, *o.Max, *o.Mean)
		}
		if o.File != "" {
			fmt.Fprintf(w, "  -> %s", o.File)
		}
		fmt.Fprintln(w)
	}
}
