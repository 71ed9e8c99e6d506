package native

import (
	"context"
	"fmt"
	"runtime"

	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/kernel/pool"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// version changes whenever compiled code may round differently or run at another speed.
const version = "1"

// Config configures the backend; its zero value is ready.
type Config struct {
	// Reference makes every op use its reference implementation on row-major tensors: slow, and the oracle of the tests.
	Reference bool
}

// Backend is the embedded engine.Backend. It is safe for concurrent use.
type Backend struct{ cfg Config }

// New makes a backend.
func New(cfg Config) *Backend { return &Backend{cfg: cfg} }

// Name is "native".
func (b *Backend) Name() string { return "native" }

// Version names the engine's version, the instruction set of its kernels and the architecture.
func (b *Backend) Version() string {
	return fmt.Sprintf("%s-%s-%s", version, runtime.GOARCH, kernel.Active())
}

// Compile implements engine.Backend. A graph without Groups is taken to have one op per group.
func (b *Backend) Compile(ctx context.Context, g *split.Graph, opts engine.Options) (engine.Executable, error) {
	if err := checkOps(g); err != nil {
		return nil, err
	}
	e := &executable{
		g: g, opts: opts, cfg: b.cfg,
		packs: newPacker(), parallel: pool.New(opts.Threads),
		programs: map[string]*program{},
	}
	p, err := e.compile(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", g.Name, err)
	}
	e.main, e.g = p, p.g
	if !p.open {
		e.packs.close()
	}
	if err := e.withinLimit(p); err != nil {
		return nil, err
	}
	return e, nil
}

// checkOps refuses graphs with operators that the table lacks, subgraphs included.
func checkOps(g *split.Graph) error {
	for i := range g.Ops {
		op := &g.Ops[i]
		if lookup(op.Domain, op.Type) == nil {
			return fmt.Errorf("%s: %w by the native engine: run it with --engine ort, or see docs/operators.md for what is there",
				describe(op), engine.ErrUnsupported)
		}
		for _, a := range op.Attrs {
			if body, ok := a.(*split.Graph); ok {
				if err := checkOps(body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Evaluate computes one op of the ONNX domain on constants by its reference implementation; it is a split.Evaluator for
// constant folding at the given opset version.
func Evaluate(opset int) func(op *split.Op, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	return func(op *split.Op, in []*tensor.Tensor) (out []*tensor.Tensor, err error) {
		e := lookup(op.Domain, op.Type)
		if e == nil {
			return nil, fmt.Errorf("%s: %w", describe(op), split.ErrUnknownOp)
		}
		c := call{ctx: context.Background(), op: op, opset: opset, in: make([]tensor.Value, len(in)), out: make([]tensor.Value, len(op.Outputs))}
		defer func() {
			if r := recover(); r != nil {
				err = c.errorf("inputs %s do not fit: %v", kinds(c.in), r)
			}
		}()
		for i, t := range in {
			if t != nil {
				c.in[i] = t
			}
		}
		if err := e.eval(&c); err != nil {
			return nil, err
		}
		out = make([]*tensor.Tensor, len(c.out))
		for i, v := range c.out {
			out[i], _ = v.(*tensor.Tensor)
		}
		return out, nil
	}
}
