package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// The times of a profile, as those of clock.
const (
	profileQuiet   = 150 * time.Millisecond
	profileLongest = 1500 * time.Millisecond
	profileMin     = 5
)

// Timing is the speed of one backend for one graph, in seconds on the emulated machine.
type Timing struct {
	Backend, Version string
	// Groups is parallel to the graph's and adds up to Total, the usual time of a run of the whole graph.
	Groups []float64
	Total  float64
	// Border is what a byte that crosses between two stages costs both of them together beyond their groups, on the real machine:
	// groups that are compiled apart convert layouts and start cold.
	Border float64
	Memory engine.Memory
}

// Measure times the whole graph under every backend of the host. A backend that cannot run the graph is left out; when none
// can, the error is the first backend's.
func (h *Host) Measure(ctx context.Context, g *split.Graph) ([]Timing, error) {
	var all []Timing
	var errs []error
	for _, b := range h.cfg.Backends {
		t, err := h.measure(ctx, b, g)
		if err != nil {
			errs = append(errs, fmt.Errorf("backend %s: %w", b.Name(), err))
			continue
		}
		all = append(all, *t)
	}
	if len(all) == 0 {
		return nil, errors.Join(errs...)
	}
	return all, nil
}

func (h *Host) measure(ctx context.Context, b engine.Backend, g *split.Graph) (*Timing, error) {
	exec, err := b.Compile(ctx, g, engine.Options{Threads: h.cfg.Threads, MemoryLimit: h.cfg.Memory})
	if err != nil {
		return nil, err
	}
	defer exec.Close()
	in, err := Sample(g)
	if err != nil {
		return nil, err
	}
	if _, err := exec.Run(ctx, in); err != nil {
		return nil, err
	}
	h.cfg.Quiet.Lock()
	defer h.cfg.Quiet.Unlock()
	var totals []float64
	groups := make([][]float64, len(g.Groups))
	timer, perGroup := exec.(engine.GroupTimer)
	err = settle(profileQuiet, profileLongest, profileMin, func() (time.Duration, error) {
		start := time.Now()
		if _, err := exec.Run(ctx, in); err != nil {
			return 0, err
		}
		took := time.Since(start)
		totals = append(totals, took.Seconds())
		if !perGroup {
			return took, nil
		}
		seconds := make([]float64, len(g.Groups))
		if _, err := timer.RunTimed(ctx, in, seconds); err != nil {
			return 0, err
		}
		for i, s := range seconds {
			groups[i] = append(groups[i], s)
		}
		return took, nil
	})
	if err != nil {
		return nil, err
	}
	t := &Timing{Backend: b.Name(), Version: b.Version(), Groups: make([]float64, len(g.Groups)), Memory: exec.Memory()}
	t.Total = usual(h, totals) / h.cfg.Speed
	sum := 0.0
	for i := range g.Groups {
		if perGroup {
			t.Groups[i] = usual(h, groups[i])
		} else { // an engine that times the whole only: its groups share the time by their work
			c := g.GroupCost(split.GroupID(i))
			t.Groups[i] = float64(max(c.FLOPs, 0)) + float64(max(c.Read, 0)+max(c.Written, 0)) + 1
		}
		sum += t.Groups[i]
	}
	for i := range t.Groups {
		t.Groups[i] *= t.Total / max(sum, 1e-12)
	}
	t.Border, err = h.border(ctx, b, g, t.Total*h.cfg.Speed)
	return t, err
}

// borderCuts is at how many cuts the cost of a border is measured.
const borderCuts = 3

// border compiles and times both sides of a few cuts, and gives the median of what they take beyond the whole, per byte that
// crosses.
func (h *Host) border(ctx context.Context, b engine.Backend, g *split.Graph, whole float64) (float64, error) {
	var legal []split.Cut
	for _, c := range split.Cuts(g) {
		if c.Front > 0 && c.Front < len(g.Groups) && c.Bytes > 0 {
			legal = append(legal, c)
		}
	}
	var perByte []float64
	for i := range min(borderCuts, len(legal)) {
		cut := legal[(2*i+1)*len(legal)/(2*borderCuts)]
		both := 0.0
		for _, side := range [][2]int{{0, cut.Front}, {cut.Front, len(g.Groups)}} {
			t, err := h.clockRange(ctx, b, g, side[0], side[1])
			if err != nil {
				return 0, err
			}
			both += t.Seconds()
		}
		perByte = append(perByte, max(both-whole, 0)/float64(cut.Bytes))
	}
	if len(perByte) == 0 {
		return 0, nil
	}
	slices.Sort(perByte)
	return perByte[len(perByte)/2], nil
}

// clockRange is the usual time of groups from to to-1 as one stage; 0 when its shapes are not known.
func (h *Host) clockRange(ctx context.Context, b engine.Backend, g *split.Graph, from, to int) (time.Duration, error) {
	var ids []split.GroupID
	for i := from; i < to; i++ {
		ids = append(ids, split.GroupID(i))
	}
	st, err := g.Stage(ids)
	if err != nil {
		return 0, err
	}
	in, err := Sample(st.Graph)
	if err != nil {
		return 0, nil
	}
	exec, err := b.Compile(ctx, st.Graph, engine.Options{Threads: h.cfg.Threads})
	if err != nil {
		return 0, err
	}
	defer exec.Close()
	return h.clock(ctx, exec, in)
}

// Coding is what a codec makes of one value.
type Coding struct {
	Codec string
	// Bytes is the frame's size, Error the relative error (root mean square).
	Bytes int64
	Error float64
	// Encode and Decode are seconds on the real machine.
	Encode, Decode float64
}

// codeRuns is how often a coding is timed; the fastest run counts.
const codeRuns = 3

// code tries one codec on one tensor.
func code(s codec.Spec, t *tensor.Tensor) (c Coding, err error) {
	c = Coding{Codec: s.String(), Encode: math.Inf(1), Decode: math.Inf(1)}
	var frame []byte
	var back *tensor.Tensor
	for range codeRuns {
		begin := time.Now()
		if frame, err = codec.Append(frame[:0], t, s); err != nil {
			return c, err
		}
		middle := time.Now()
		if back, err = codec.Decode(frame, codec.Limits{}); err != nil {
			return c, err
		}
		c.Encode = min(c.Encode, middle.Sub(begin).Seconds())
		c.Decode = min(c.Decode, time.Since(middle).Seconds())
	}
	c.Bytes = int64(len(frame))
	c.Error, _, err = codec.Compare(t, back)
	return c, err
}

// Survey runs the graph group by group on made-up inputs and tries codecs on every value between groups, inputs and outputs
// included. specs lists the codecs to try on a value; those that do not fit are left out.
func (h *Host) Survey(ctx context.Context, g *split.Graph, specs func(v split.ValueID) []codec.Spec) (map[split.ValueID][]Coding, error) {
	in, err := Sample(g)
	if err != nil {
		return nil, err
	}
	have := map[split.ValueID]tensor.Value{}
	for i, v := range g.Inputs {
		have[v] = in[i]
	}
	found := map[split.ValueID][]Coding{}
	try := func(v split.ValueID) {
		t, ok := have[v].(*tensor.Tensor)
		if _, done := found[v]; done || !ok || t.DType() == tensor.String {
			return
		}
		found[v] = []Coding{}
		for _, s := range specs(v) {
			if c, err := code(s, t); err == nil {
				found[v] = append(found[v], c)
			}
		}
	}
	h.cfg.Quiet.Lock()
	defer h.cfg.Quiet.Unlock()
	for _, v := range g.Inputs {
		try(v)
	}
	for id := range g.Groups {
		if err := h.runGroup(ctx, g, split.GroupID(id), have); err != nil {
			return found, fmt.Errorf("survey group %q: %w", g.Groups[id].Name, err)
		}
		for _, v := range g.Groups[id].Out {
			try(v)
		}
	}
	return found, nil
}

// runGroup computes one group from the values in have, and adds its own.
func (h *Host) runGroup(ctx context.Context, g *split.Graph, id split.GroupID, have map[split.ValueID]tensor.Value) error {
	st, err := g.Stage([]split.GroupID{id})
	if err != nil {
		return err
	}
	exec, err := h.cfg.Backends[0].Compile(ctx, st.Graph, engine.Options{Threads: h.cfg.Threads})
	if err != nil {
		return err
	}
	defer exec.Close()
	args := make([]tensor.Value, len(st.In))
	for i, v := range st.In {
		args[i] = have[v]
	}
	out, err := exec.Run(ctx, args)
	if err != nil {
		return err
	}
	for i, v := range st.Out {
		if t, ok := out[i].(*tensor.Tensor); ok {
			have[v] = t.Clone()
		} else {
			have[v] = out[i]
		}
	}
	return nil
}
