//go:build cgo

package ort

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// environment is the library's process-wide state: it is loaded once, by the first New, and stays.
var environment struct {
	once sync.Once
	path string
	err  error
}

// Backend runs stages in ONNX Runtime on the processor. It is safe for concurrent use.
type Backend struct{}

// New loads the library. A process has one library: a later New with another path gets the first one.
func New(cfg Config) (engine.Backend, error) {
	path, where := find(cfg)
	if path == "" {
		return nil, fmt.Errorf("%w: looked at %s: run scripts/fetch-ort.sh or set %s", ErrAbsent, strings.Join(where, ", "), LibraryEnv)
	}
	environment.once.Do(func() { environment.path, environment.err = path, load(path) })
	if environment.err != nil {
		return nil, fmt.Errorf("%w: load %s: %w", ErrAbsent, environment.path, environment.err)
	}
	return &Backend{}, nil
}

// telemetryEnv is what the library reads to learn that it must not report on this process, nor leave its files for that in the
// temporary folder (.ses, mat-debug-PID.log), as it does since 1.30.
const telemetryEnv = "ORT_DISABLE_TELEMETRY"

func load(path string) error {
	if err := os.Setenv(telemetryEnv, "1"); err != nil {
		return err
	}
	ortlib.SetSharedLibraryPath(path)
	return ortlib.InitializeEnvironment()
}

// Name is "ort".
func (b *Backend) Name() string { return "ort" }

// Version is the library's.
func (b *Backend) Version() string { return ortlib.GetVersion() }

// Compile implements engine.Backend.
func (b *Backend) Compile(ctx context.Context, g *split.Graph, opts engine.Options) (engine.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := &executable{g: g}
	var in, out []string
	for _, id := range g.Inputs {
		if g.Values[id].Kind != split.TensorKind {
			return nil, fmt.Errorf("input %q is a %s: %w by the ort engine", g.Values[id].Name, g.Values[id].Kind, engine.ErrUnsupported)
		}
		in = append(in, g.Values[id].Name)
	}
	for _, id := range g.Outputs {
		if g.Values[id].Kind != split.TensorKind {
			return nil, fmt.Errorf("output %q is a %s: %w by the ort engine", g.Values[id].Name, g.Values[id].Kind, engine.ErrUnsupported)
		}
		out = append(out, g.Values[id].Name)
	}
	for i := range g.Values {
		if c := g.Values[i].Const; c != nil {
			e.memory.Weights += int64(len(c.Bytes()))
		}
		if n := g.Values[i].Bytes(); n > 0 && g.Values[i].Const == nil {
			e.memory.Activations += n // no reuse: an upper bound
		}
	}
	if need := e.memory.Weights + e.memory.Activations; opts.MemoryLimit > 0 && need > opts.MemoryLimit {
		return nil, fmt.Errorf("%w: %q needs up to %d bytes and may use %d: raise the limit or cut the model", engine.ErrMemory, g.Name, need, opts.MemoryLimit)
	}
	model, err := onnx.Encode(g)
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name, err)
	}
	o, err := ortlib.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name, err)
	}
	defer o.Destroy()
	if err := o.SetIntraOpNumThreads(opts.Threads); err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name, err)
	}
	if err := o.SetLogSeverityLevel(ortlib.LoggingLevelError); err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name, err)
	}
	e.session, err = ortlib.NewDynamicAdvancedSessionWithONNXData(model, in, out, o)
	if err != nil {
		return nil, fmt.Errorf("compile %q with ONNX Runtime: %w", g.Name, oneLine(err))
	}
	e.in, e.out = make([]ortlib.Value, len(in)), make([]ortlib.Value, len(out))
	e.bound = make([]*tensor.Tensor, len(in))
	e.results = make([]tensor.Value, len(out))
	return e, e.prepareOutputs()
}

// oneLine keeps the library's error on one line.
func oneLine(err error) error {
	return fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " "))
}

// executable is a session. Outputs of known size are written into buffers that it keeps; the others are allocated per run.
type executable struct {
	g       *split.Graph
	session *ortlib.DynamicAdvancedSession
	memory  engine.Memory

	in, out []ortlib.Value
	bound   []*tensor.Tensor // what in was made of
	results []tensor.Value   // nil where the size is not known
}

func (e *executable) prepareOutputs() error {
	for i, id := range e.g.Outputs {
		v := &e.g.Values[id]
		if v.Shape == nil || !v.Shape.Known() || v.DType == tensor.String || v.DType == tensor.Invalid {
			continue
		}
		t, err := tensor.New(v.DType, v.Shape)
		if err != nil {
			return err
		}
		if e.out[i], err = wrap(t); err != nil {
			return err
		}
		e.results[i] = t
	}
	return nil
}

// wrap is t as the library's value, sharing its buffer.
func wrap(t *tensor.Tensor) (ortlib.Value, error) {
	shape := make(ortlib.Shape, len(t.Shape()))
	for i, d := range t.Shape() {
		shape[i] = int64(d)
	}
	if t.DType() == tensor.String {
		s, err := ortlib.NewStringTensor(shape)
		if err != nil {
			return nil, err
		}
		return s, s.SetContents(t.Strings())
	}
	if len(shape) == 0 {
		return scalar(t)
	}
	data := t.Bytes()
	if len(data) == 0 {
		data = make([]byte, 1) // the library refuses a nil pointer
	}
	return ortlib.NewCustomDataTensor(shape, data, ortlib.TensorElementDataType(t.DType()))
}

// Run implements engine.Executable. A run under way is not interrupted.
func (e *executable) Run(ctx context.Context, in []tensor.Value) ([]tensor.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(in) != len(e.in) {
		return nil, fmt.Errorf("graph %q has %d inputs, got %d", e.g.Name, len(e.in), len(in))
	}
	for i, v := range in {
		id := e.g.Inputs[i]
		t, ok := v.(*tensor.Tensor)
		if !ok || t == nil {
			return nil, fmt.Errorf("input %q is missing", e.g.Values[id].Name)
		}
		if want := &e.g.Values[id]; t.DType() != want.DType {
			return nil, fmt.Errorf("input %q must be %s, not %s", want.Name, want.DType, t.DType())
		} else if want.Shape != nil && want.Shape.Known() && !want.Shape.Equal(t.Shape()) {
			return nil, fmt.Errorf("input %q must have shape %v, not %v", want.Name, want.Shape, t.Shape())
		}
		if e.bound[i] == t && t.DType() != tensor.String && len(t.Shape()) > 0 { // the same buffer as in the last run
			continue
		}
		w, err := wrap(t)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", e.g.Values[id].Name, oneLine(err))
		}
		if e.in[i] != nil {
			e.in[i].Destroy()
		}
		e.in[i], e.bound[i] = w, t
	}
	out := e.out
	dynamic := false
	for i := range e.results {
		dynamic = dynamic || e.results[i] == nil
	}
	results := e.results
	if dynamic {
		out = append([]ortlib.Value{}, e.out...)
		results = append([]tensor.Value{}, e.results...)
	}
	if err := e.session.Run(e.in, out); err != nil {
		return nil, fmt.Errorf("run %q with ONNX Runtime: %w", e.g.Name, oneLine(err))
	}
	for i := range results {
		if t, ok := e.results[i].(*tensor.Tensor); ok {
			fromScalar(t, out[i])
			continue
		}
		t, err := unwrap(out[i], e.g.Values[e.g.Outputs[i]].DType)
		out[i].Destroy()
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", e.g.Values[e.g.Outputs[i]].Name, err)
		}
		results[i] = t
	}
	return results, nil
}

// unwrap copies a value that the library allocated.
func unwrap(v ortlib.Value, d tensor.DType) (*tensor.Tensor, error) {
	shape := tensor.Shape{}
	for _, n := range v.GetShape() {
		shape = append(shape, int(n))
	}
	switch v := v.(type) {
	case *ortlib.StringTensor:
		text, err := v.GetContents()
		if err != nil {
			return nil, err
		}
		return tensor.FromStrings(shape, text)
	case *ortlib.Tensor[float32]:
		return copied(tensor.Float32, shape, v.GetData())
	case *ortlib.Tensor[float64]:
		return copied(tensor.Float64, shape, v.GetData())
	case *ortlib.Tensor[uint8]:
		return copied(tensor.Uint8, shape, v.GetData())
	case *ortlib.Tensor[int8]:
		return copied(tensor.Int8, shape, v.GetData())
	case *ortlib.Tensor[uint16]:
		return copied(tensor.Uint16, shape, v.GetData())
	case *ortlib.Tensor[int16]:
		return copied(tensor.Int16, shape, v.GetData())
	case *ortlib.Tensor[int32]:
		return copied(tensor.Int32, shape, v.GetData())
	case *ortlib.Tensor[int64]:
		return copied(tensor.Int64, shape, v.GetData())
	case *ortlib.Tensor[uint32]:
		return copied(tensor.Uint32, shape, v.GetData())
	case *ortlib.Tensor[uint64]:
		return copied(tensor.Uint64, shape, v.GetData())
	case *ortlib.Tensor[bool]:
		return copied(tensor.Bool, shape, v.GetData())
	}
	return nil, fmt.Errorf("%s of a size that is not known before the run: %w by the ort engine", d, engine.ErrUnsupported)
}

func copied[T tensor.Element](d tensor.DType, shape tensor.Shape, data []T) (*tensor.Tensor, error) {
	t, err := tensor.New(d, shape)
	if err != nil {
		return nil, err
	}
	if n := len(t.Bytes()); n > 0 {
		copy(t.Bytes(), unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), n))
	}
	return t, nil
}

// Memory implements engine.Executable. Weights are the model's; activations are an upper bound, since the library does not
// say what it reuses.
func (e *executable) Memory() engine.Memory { return e.memory }

// Close implements engine.Executable.
func (e *executable) Close() error {
	for _, list := range [][]ortlib.Value{e.in, e.out} {
		for i, v := range list {
			if v != nil {
				v.Destroy()
			}
			list[i] = nil
		}
	}
	if e.session == nil {
		return nil
	}
	s := e.session
	e.session = nil
	return s.Destroy()
}
