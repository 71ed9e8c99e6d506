package suite

import (
	"context"
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// CheckCuts runs g, which must be canonical, uncut and at every legal two-way cut, and fails where an output of a split run
// is not equal, bit for bit, to that of the uncut run. It returns the number of cuts.
func CheckCuts(ctx context.Context, b engine.Backend, g *split.Graph, in []tensor.Value, opts engine.Options) (int, error) {
	exe, err := b.Compile(ctx, g, opts)
	if err != nil {
		return 0, err
	}
	defer exe.Close()
	want, err := exe.Run(ctx, in)
	if err != nil {
		return 0, err
	}
	cuts := 0
	for _, cut := range split.Cuts(g) {
		if cut.Front == 0 || cut.Front == len(g.Groups) {
			continue
		}
		got, err := runCut(ctx, b, g, cut.Front, in, opts)
		if err != nil {
			return cuts, fmt.Errorf("cut after group %q: %w", g.Groups[cut.Front-1].Name, err)
		}
		for i, id := range g.Outputs {
			if err := identical(got[id], want[i]); err != nil {
				return cuts, fmt.Errorf("cut after group %q: output %q: %w", g.Groups[cut.Front-1].Name, g.Values[id].Name, err)
			}
		}
		cuts++
	}
	return cuts, nil
}

// runCut runs the first front groups as one stage and the others as another.
func runCut(ctx context.Context, b engine.Backend, g *split.Graph, front int, in []tensor.Value, opts engine.Options) (map[split.ValueID]tensor.Value, error) {
	known := map[split.ValueID]tensor.Value{}
	for i, id := range g.Inputs {
		known[id] = in[i]
	}
	for _, id := range g.Outputs {
		if c := g.Values[id].Const; c != nil {
			known[id] = c
		}
	}
	for _, half := range [2][2]int{{0, front}, {front, len(g.Groups)}} {
		var ids []split.GroupID
		for i := half[0]; i < half[1]; i++ {
			ids = append(ids, split.GroupID(i))
		}
		st, err := g.Stage(ids)
		if err != nil {
			return nil, err
		}
		if err := runStage(ctx, b, st, known, opts); err != nil {
			return nil, err
		}
	}
	return known, nil
}

func clone(v tensor.Value) tensor.Value {
	if t, ok := v.(*tensor.Tensor); ok {
		return t.Clone()
	}
	return v
}

// identical fails unless both values have the same bits.
func identical(a, b tensor.Value) error {
	switch b := b.(type) {
	case *tensor.Tensor:
		if a, ok := a.(*tensor.Tensor); ok && a.Equal(b) {
			return nil
		}
		return fmt.Errorf("%v differs from the uncut run", b)
	case *tensor.Sequence:
		if a, ok := a.(*tensor.Sequence); ok && len(a.Items) == len(b.Items) {
			for i := range a.Items {
				if err := identical(a.Items[i], b.Items[i]); err != nil {
					return err
				}
			}
			return nil
		}
		return fmt.Errorf("a sequence differs from the uncut run")
	case *tensor.Optional:
		if a, ok := a.(*tensor.Optional); ok && (a.Item == nil) == (b.Item == nil) {
			if a.Item == nil {
				return nil
			}
			return identical(a.Item, b.Item)
		}
	}
	return fmt.Errorf("%T is not what the uncut run gives", a)
}
