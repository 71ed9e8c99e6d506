package calibrate

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// tuner chooses, for the values of one cut, how their tables treat channels: by what that does to the model's answers on some of
// the fitted samples, which never judge.
type tuner struct {
	r     *runner
	ctx   context.Context
	exe   engine.Executable
	stage *split.Stage
	ids   []split.ValueID
	// samples are indices of fitted samples.
	samples []int
	// fresh counts the values that are tuned.
	fresh int
}

const (
	// tuneSamples is the most samples that candidates are compared on, probeSamples that channels are probed on.
	tuneSamples  = 4
	probeSamples = 2
	// maxProbes is the most groups of channels that are probed for the new values of a cut together, minProbes that for one value
	// however many there are; channels of alike power are probed together.
	maxProbes = 48
	minProbes = 8
	// probeStep is the step of a probed channel in its root mean squares.
	probeStep = 0.7
)

// tuneAt is the steps at which candidates are compared, as uniform's rel.
var tuneAt = []float64{0.35, 0.8}

// tune fills r.shapes for the values that have none yet.
func (r *runner) tune(ctx context.Context, exe engine.Executable, stage *split.Stage, ids []split.ValueID) error {
	fresh := func(id split.ValueID) bool { _, ok := r.shapes[id]; return !ok }
	if !slices.ContainsFunc(ids, fresh) {
		return nil
	}
	t := &tuner{r: r, ctx: ctx, exe: exe, stage: stage, ids: ids}
	for k := range min(tuneSamples, r.fitted) {
		t.samples = append(t.samples, (2*k+1)*r.fitted/(2*min(tuneSamples, r.fitted)))
	}
	for _, id := range ids {
		if fresh(id) {
			t.fresh++
		}
	}
	plain := map[split.ValueID]codec.Shape{}
	probed, half := map[split.ValueID]codec.Shape{}, map[split.ValueID]codec.Shape{}
	for _, id := range ids {
		if s, ok := r.shapes[id]; ok {
			plain[id], probed[id], half[id] = s, s, s
			continue
		}
		full, mixed, err := t.probe(id)
		if err != nil {
			return err
		}
		probed[id], half[id] = codec.Shape{Factors: full}, codec.Shape{Factors: mixed}
	}
	best, least := plain, math.Inf(1)
	slope := 0.0
	for i, candidate := range []map[split.ValueID]codec.Shape{plain, half, probed} {
		for _, zeros := range []bool{false, true} {
			shapes := map[split.ValueID]codec.Shape{}
			for id, s := range candidate {
				if _, ok := r.shapes[id]; !ok {
					s.Zeros = zeros
				}
				shapes[id] = s
			}
			var bits, err [2]float64
			for k, rel := range tuneAt {
				var e error
				if bits[k], err[k], e = t.try(shapes, rel); e != nil {
					return e
				}
			}
			if i == 0 && !zeros && bits[0] > bits[1] && err[1] > err[0] && err[0] > 0 {
				slope = math.Log(err[1]/err[0]) / (bits[0] - bits[1])
			}
			score := 0.0
			for k := range tuneAt {
				score += math.Log(max(err[k], 1e-12)) + slope*bits[k]
			}
			if score < least {
				best, least = shapes, score
			}
		}
	}
	for _, id := range ids {
		r.shapes[id] = best[id]
	}
	return nil
}

// try is the bits per element of the cut under tables of these shapes, and how far the answers move.
func (t *tuner) try(shapes map[split.ValueID]codec.Shape, rel float64) (bits, moved float64, err error) {
	tables := map[split.ValueID]*codec.Table{}
	for _, id := range t.ids {
		if table, err := codec.FitShape(t.r.seen(id), rel*t.r.share(t.ids, id), shapes[id]); err == nil {
			tables[id] = table // a value that is always zero or not finite goes without
		}
	}
	var change, size float64
	bytes, elements := 0, 0
	var frame []byte
	for _, k := range t.samples {
		coded := map[split.ValueID]*tensor.Tensor{}
		for id, table := range tables {
			x := t.r.boundary[k][id]
			coder := codec.NewCoder(table)
			if frame, err = coder.Append(frame[:0], x, codec.Spec{ID: codec.Uniform}.With("table", table.ID().String())); err != nil {
				return 0, 0, err
			}
			if coded[id], err = coder.Decode(frame, codec.Limits{}); err != nil {
				return 0, 0, err
			}
			bytes += len(frame)
			elements += x.Len()
		}
		c, s, err := t.distance(k, coded)
		if err != nil {
			return 0, 0, err
		}
		change, size = change+c, size+s
	}
	return float64(bytes) * 8 / float64(max(elements, 1)), math.Sqrt(change / max(size, 1e-30)), nil
}

func (t *tuner) distance(k int, coded map[split.ValueID]*tensor.Tensor) (change, size float64, err error) {
	got, err := t.r.finish(t.ctx, t.exe, t.stage, k, coded)
	if err != nil {
		return 0, 0, err
	}
	change, size = t.r.task.Distance(t.r.answers[k], got)
	return change, size, nil
}

// probe finds what each channel of a value means for the answers: it quantises the channel alone and runs the rest of the model.
// Noise of a step's square in channel c moves the answers by sensitivity[c]; for the fewest bits at a given movement, steps are
// in inverse proportion to its root (reverse water-filling: a channel whose step exceeds its values costs nothing). full is those
// steps, mixed their geometric means with the steps that power alone gives; nil where a value has no channels.
func (t *tuner) probe(id split.ValueID) (full, mixed []float64, err error) {
	table, err := codec.FitShape(t.r.seen(id), tuneAt[0]*t.r.share(t.ids, id), codec.Shape{})
	if err != nil {
		return nil, nil, nil
	}
	axis, power := table.Channels()
	if len(power) == 0 || t.r.boundary[0][id].DType() != tensor.Float32 {
		return nil, nil, nil
	}
	n := len(power)
	order := make([]int, n)
	for c := range order {
		order[c] = c
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(power[a], power[b]) })
	groups := min(n, max(maxProbes/t.fresh, minProbes))
	sensitivity := make([]float64, n)
	for g := range groups {
		member := make([]bool, n)
		for _, c := range order[g*n/groups : (g+1)*n/groups] {
			member[c] = true
		}
		var change, noise float64
		for _, k := range t.samples[:min(probeSamples, len(t.samples))] {
			x := t.r.boundary[k][id].Clone()
			noise += quantiseChannels(x, axis, member)
			moved, _, err := t.distance(k, map[split.ValueID]*tensor.Tensor{id: x})
			if err != nil {
				return nil, nil, err
			}
			change += moved
		}
		for c := range member {
			if member[c] && noise > 0 {
				sensitivity[c] = change / noise
			}
		}
	}
	return t.steps(power, sensitivity)
}

// maxSkew is the largest factor between a probed channel's step and that which power alone gives.
const maxSkew = 8

// steps turns sensitivities into steps of which the geometric mean is that of the steps by power.
func (t *tuner) steps(power []float32, sensitivity []float64) (full, mixed []float64, err error) {
	var skew []float64
	sum, known := 0.0, 0
	for c, s := range sensitivity {
		v := math.NaN()
		if s > 0 {
			v = -math.Log(s)/2 - math.Log(float64(power[c]))
			sum += v
			known++
		}
		skew = append(skew, v)
	}
	if known == 0 {
		return nil, nil, nil
	}
	for c, v := range skew {
		if v -= sum / float64(known); math.IsNaN(v) {
			v = math.Log(maxSkew) // it changes nothing
		}
		v = max(-math.Log(maxSkew), min(v, math.Log(maxSkew)))
		full = append(full, float64(power[c])*math.Exp(v))
		mixed = append(mixed, float64(power[c])*math.Exp(v/2))
	}
	return full, mixed, nil
}

// quantiseChannels rounds the member channels of x, each to steps of probeStep times its root mean square, and returns the sum of
// the squares of what that changed.
func quantiseChannels(x *tensor.Tensor, axis int, member []bool) (noise float64) {
	shape := x.Shape()
	inner := 1
	for _, d := range shape[axis+1:] {
		inner *= d
	}
	v := tensor.Data[float32](x)
	square, count := make([]float64, len(member)), make([]int, len(member))
	for i, a := range v {
		c := i / inner % len(member)
		square[c] += float64(a) * float64(a)
		count[c]++
	}
	for i, a := range v {
		c := i / inner % len(member)
		if !member[c] || square[c] == 0 {
			continue
		}
		step := probeStep * math.Sqrt(square[c]/float64(count[c]))
		q := math.Copysign(math.Floor(math.Abs(float64(a))/step+0.4)*step, float64(a))
		v[i] = float32(q)
		noise += (float64(a) - q) * (float64(a) - q)
	}
	return noise
}
