package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// ErrDynamic is wrapped when a graph cannot be profiled because sizes of its inputs are not known: specialise it first.
var ErrDynamic = errors.New("input shape is not known")

// ProfileOptions say how a graph is profiled. The zero value is ready.
type ProfileOptions struct {
	// Threads is as in Options.
	Threads int
	// Runs is how many timed runs each figure is the median of; 0 means 9.
	Runs int
	// Cuts is at how many cuts both sides are compiled and timed as whole stages; the others are interpolated. 0 means 8.
	Cuts int
	// Budget is the time after which no further cut is timed; 0 means 5 s.
	Budget time.Duration
}

// Profile is how fast a backend runs a graph here.
type Profile struct {
	Backend, Version string
	Threads          int
	// Whole is the seconds of one run of the uncut graph.
	Whole float64
	// Groups is the seconds of each group inside of the uncut run; they add up to Whole. A backend that cannot time groups gets
	// them in proportion to their floating-point operations and bytes.
	Groups []float64
	// Front[k] is the seconds of the first k groups compiled as one stage, Back[k] of the others, for k from 0 to
	// len(Groups): Front[0] = Back[len(Groups)] = 0 and Front[len(Groups)] = Back[0] = Whole. Neighbouring groups share
	// layouts and caches, so that stages cost more than the sum of their groups; the difference is timed at some
	// cuts and interpolated between them.
	Front, Back []float64
	// Timed lists the prefix lengths that were compiled and timed, ascending.
	Timed []int
	// Memory is what the uncut graph holds.
	Memory Memory
}

// Segment estimates the seconds of groups from to to-1 as one stage: their share of the uncut run and what the cuts at
// both ends add.
func (p *Profile) Segment(from, to int) float64 {
	if to <= from {
		return 0
	}
	sum := 0.0
	for _, s := range p.Groups[from:to] {
		sum += s
	}
	before, after := 0.0, 0.0
	for i, s := range p.Groups {
		if i < from {
			before += s
		}
		if i >= to {
			after += s
		}
	}
	entry := p.Back[from] - (p.Whole - before) // what the back of the first cut takes beyond its groups
	exit := p.Front[to] - (p.Whole - after)
	return max(sum+entry+exit, 0)
}

// NewProfile profiles g, which must be canonical and have inputs of known shape, with inputs that it makes up. It takes the
// processor for itself while it runs.
func NewProfile(ctx context.Context, b Backend, g *split.Graph, opts ProfileOptions) (*Profile, error) {
	if opts.Runs == 0 {
		opts.Runs = 9
	}
	if opts.Cuts == 0 {
		opts.Cuts = 8
	}
	if opts.Budget == 0 {
		opts.Budget = 5 * time.Second
	}
	start := time.Now()
	n := len(g.Groups)
	p := &Profile{
		Backend: b.Name(), Version: b.Version(), Threads: opts.Threads,
		Groups: make([]float64, n), Front: make([]float64, n+1), Back: make([]float64, n+1),
	}
	if err := p.whole(ctx, b, g, opts); err != nil {
		return nil, fmt.Errorf("profile %q: %w", g.Name, err)
	}
	sum := 0.0
	for k, s := range p.Groups {
		p.Front[k], p.Back[k] = sum, p.Whole-sum
		sum += s
	}
	p.Front[n], p.Back[n] = p.Whole, 0
	extra := map[int][2]float64{0: {}, n: {}}
	for _, k := range p.pickCuts(g, opts.Cuts) {
		if time.Since(start) > opts.Budget {
			break
		}
		front, err := stageSeconds(ctx, b, g, 0, k, opts)
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", g.Name, err)
		}
		back, err := stageSeconds(ctx, b, g, k, n, opts)
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", g.Name, err)
		}
		extra[k] = [2]float64{front - p.Front[k], back - p.Back[k]}
		p.Timed = append(p.Timed, k)
	}
	slices.Sort(p.Timed)
	p.interpolate(extra)
	return p, nil
}

// whole times the uncut graph and its groups.
func (p *Profile) whole(ctx context.Context, b Backend, g *split.Graph, opts ProfileOptions) error {
	in, err := SynthesizeInputs(g)
	if err != nil {
		return err
	}
	exe, err := b.Compile(ctx, g, Options{Threads: opts.Threads})
	if err != nil {
		return err
	}
	defer exe.Close()
	if p.Whole, err = medianSeconds(ctx, exe, in, opts.Runs); err != nil {
		return err
	}
	p.Memory = exe.Memory()
	if timer, ok := exe.(GroupTimer); ok {
		for range opts.Runs {
			if _, err := timer.RunTimed(ctx, in, p.Groups); err != nil {
				return err
			}
		}
	} else {
		for i := range p.Groups {
			c := g.GroupCost(split.GroupID(i))
			p.Groups[i] = float64(c.FLOPs) + 4*float64(c.Read+c.Written+c.Weights)
		}
	}
	sum := 0.0
	for _, s := range p.Groups {
		sum += s
	}
	for i := range p.Groups {
		if sum > 0 {
			p.Groups[i] *= p.Whole / sum
		}
	}
	return nil
}

// pickCuts chooses legal cuts that lie evenly in time.
func (p *Profile) pickCuts(g *split.Graph, count int) []int {
	var picked []int
	legal := split.Cuts(g)
	for i := 1; i <= count; i++ {
		want := p.Whole * float64(i) / float64(count+1)
		best := -1
		for _, c := range legal {
			if c.Front > 0 && c.Front < len(p.Groups) && (best < 0 || abs(p.Front[c.Front]-want) < abs(p.Front[best]-want)) {
				best = c.Front
			}
		}
		if best > 0 && !slices.Contains(picked, best) {
			picked = append(picked, best)
		}
	}
	return picked
}

func abs(v float64) float64 { return max(v, -v) }

// interpolate adds what was found at the timed cuts to the cuts between them, linearly in the number of groups.
func (p *Profile) interpolate(extra map[int][2]float64) {
	n := len(p.Groups)
	known := []int{0}
	known = append(append(known, p.Timed...), n)
	for i := 1; i < len(known); i++ {
		a, b := known[i-1], known[i]
		for k := a; k <= b && b > a; k++ {
			if k == a && a != 0 {
				continue
			}
			t := float64(k-a) / float64(b-a)
			front := extra[a][0]*(1-t) + extra[b][0]*t
			back := extra[a][1]*(1-t) + extra[b][1]*t
			p.Front[k], p.Back[k] = max(p.Front[k]+front, 0), max(p.Back[k]+back, 0)
		}
	}
}

// stageSeconds times groups from to to-1 as one stage.
func stageSeconds(ctx context.Context, b Backend, g *split.Graph, from, to int, opts ProfileOptions) (float64, error) {
	var ids []split.GroupID
	for i := from; i < to; i++ {
		ids = append(ids, split.GroupID(i))
	}
	st, err := g.Stage(ids)
	if err != nil {
		return 0, err
	}
	in, err := SynthesizeInputs(st.Graph)
	if err != nil {
		return 0, err
	}
	exe, err := b.Compile(ctx, st.Graph, Options{Threads: opts.Threads})
	if err != nil {
		return 0, err
	}
	defer exe.Close()
	return medianSeconds(ctx, exe, in, opts.Runs)
}

// medianSeconds is the median of timed runs after one that warms up.
func medianSeconds(ctx context.Context, exe Executable, in []tensor.Value, runs int) (float64, error) {
	if _, err := exe.Run(ctx, in); err != nil {
		return 0, err
	}
	times := make([]float64, runs)
	for i := range times {
		start := time.Now()
		if _, err := exe.Run(ctx, in); err != nil {
			return 0, err
		}
		times[i] = time.Since(start).Seconds()
	}
	slices.Sort(times)
	return times[runs/2], nil
}

// SynthesizeInputs makes inputs for g: floats uniform in [0, 1), integers and booleans 0 or 1, strings empty, always the same
// for one graph. It fails with ErrDynamic when a shape is not known.
func SynthesizeInputs(g *split.Graph) ([]tensor.Value, error) {
	rng := rand.New(rand.NewPCG(1, 2))
	in := make([]tensor.Value, len(g.Inputs))
	for i, id := range g.Inputs {
		v := &g.Values[id]
		if v.Kind != split.TensorKind || v.Shape == nil || !v.Shape.Known() {
			return nil, fmt.Errorf("input %q (%s): %w", v.Name, v.Type(), ErrDynamic)
		}
		t, err := tensor.New(v.DType, v.Shape)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", v.Name, err)
		}
		fill(t, rng)
		in[i] = t
	}
	return in, nil
}

func fill(t *tensor.Tensor, rng *rand.Rand) {
	switch t.DType() {
	case tensor.Float32:
		d := tensor.Data[float32](t)
		for i := range d {
			d[i] = rng.Float32()
		}
	case tensor.Float64:
		d := tensor.Data[float64](t)
		for i := range d {
			d[i] = rng.Float64()
		}
	case tensor.Float16: // 1 to 2: the exponent of 1 and any fraction
		d := tensor.Data[uint16](t)
		for i := range d {
			d[i] = 0x3c00 | uint16(rng.Uint32()&0x3ff)
		}
	case tensor.BFloat16:
		d := tensor.Data[uint16](t)
		for i := range d {
			d[i] = 0x3f80 | uint16(rng.Uint32()&0x7f)
		}
	case tensor.Uint8, tensor.Int8:
		for i := range t.Bytes() {
			t.Bytes()[i] = byte(rng.Uint32() & 0x7f)
		}
	case tensor.Int64:
		for i := range tensor.Data[int64](t) {
			tensor.Data[int64](t)[i] = rng.Int64N(2)
		}
	case tensor.Int32:
		for i := range tensor.Data[int32](t) {
			tensor.Data[int32](t)[i] = rng.Int32N(2)
		}
	case tensor.Bool:
		for i := range t.Bytes() {
			t.Bytes()[i] = byte(rng.Uint32() & 1)
		}
	}
}
