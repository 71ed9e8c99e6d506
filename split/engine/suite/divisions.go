package suite

import (
	"context"
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// CheckDivision computes a block of g, which must be canonical, as one stage and in the parts of d, each part a stage of its own,
// from the same made-up inputs. The distance is 0 when the results are equal bit for bit, and else the largest one relative to the
// range of the result.
func CheckDivision(ctx context.Context, b engine.Backend, g *split.Graph, d split.Division, opts engine.Options) (distance float64, err error) {
	divided, err := g.Divide([]split.Division{d})
	if err != nil {
		return 0, err
	}
	var block []split.GroupID
	for id := d.First; id <= d.Last; id++ {
		block = append(block, id)
	}
	st, err := g.Stage(block)
	if err != nil {
		return 0, err
	}
	in, err := engine.SynthesizeInputs(st.Graph)
	if err != nil {
		return 0, err
	}
	out, err := g.BlockOutput(d.First, d.Last)
	if err != nil {
		return 0, err
	}
	base := map[split.ValueID]tensor.Value{}
	for i, id := range st.In {
		base[id] = in[i]
	}
	if err := runStage(ctx, b, st, base, opts); err != nil {
		return 0, err
	}
	known := map[split.ValueID]tensor.Value{}
	for v, o := range divided.Values {
		if o.Share == 1 && o.Value >= 0 && slices.Contains(st.In, o.Value) {
			known[split.ValueID(v)] = base[o.Value]
		}
	}
	for _, part := range append(parts(len(d.Parts)), -1) {
		var groups []split.GroupID
		for id, o := range divided.Groups {
			if o.Division == 0 && o.Part == part {
				groups = append(groups, split.GroupID(id))
			}
		}
		st, err := divided.Graph.Stage(groups)
		if err != nil {
			return 0, err
		}
		if err := runStage(ctx, b, st, known, opts); err != nil {
			return 0, fmt.Errorf("part %d: %w", part, err)
		}
	}
	name := g.Values[out].Name
	for v, t := range known {
		if divided.Graph.Values[v].Name == name {
			if identical(t, base[out]) == nil {
				return 0, nil
			}
			return Compare(t, base[out])
		}
	}
	return 0, fmt.Errorf("the parts do not make %q", name)
}

func parts(n int) []int {
	var out []int
	for k := range n {
		out = append(out, k)
	}
	return out
}

// runStage runs a stage on known values and adds its results to them.
func runStage(ctx context.Context, b engine.Backend, st *split.Stage, known map[split.ValueID]tensor.Value, opts engine.Options) error {
	in := make([]tensor.Value, len(st.In))
	for i, id := range st.In {
		in[i] = known[id]
	}
	exe, err := b.Compile(ctx, st.Graph, opts)
	if err != nil {
		return err
	}
	out, err := exe.Run(ctx, in)
	if err != nil {
		return err
	}
	for i, id := range st.Out {
		known[id] = clone(out[i])
	}
	return exe.Close()
}
