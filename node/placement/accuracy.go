package placement

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/codec/calibrate"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/split"
)

// Accuracy is what a plan may change of the answer.
type Accuracy struct {
	// Lossless allows no change at all.
	Lossless bool
	// MaxLoss is the most that the codecs of a plan may cost together in relative error: that of the model's outputs where a
	// value is calibrated, that of the value itself where it is not. 0 means no limit.
	MaxLoss float64
	// Agreement, in (0, 1], is the least share of answers that must stay, as calibration has counted them; the changes of a plan's
	// codecs add up. Only lossless codecs and calibrated ones count then, and MaxLoss does not. 0 does not ask for it.
	Agreement float64
}

// Limit is the limit on planner.Coding.Loss in the units of Codings.
func (a Accuracy) Limit() float64 {
	const exact = 1e-9 // to the planner 0 would be no limit
	if a.Agreement > 0 {
		return max(1-a.Agreement, exact)
	}
	return a.MaxLoss
}

// Codings is the ways in which a value may travel: those of its curve in f, which may be nil, before those that were
// measured on made-up inputs. Those that another one beats in everything are left out.
func (a Accuracy) Codings(f *calibrate.File, v *split.Value, measured []planner.Coding) []planner.Coding {
	var all []planner.Coding
	known := map[string]bool{}
	for _, p := range a.curve(f, v) {
		known[p.Codec] = true
		if c, ok := a.calibrated(&p, v); ok {
			all = append(all, c)
		}
	}
	for _, c := range measured {
		s, err := codec.Parse(c.Codec)
		if err != nil || known[c.Codec] || !s.Lossless() && (a.Lossless || a.Agreement > 0) {
			continue
		}
		all = append(all, c)
	}
	var kept []planner.Coding
	for i, c := range all {
		if !slices.ContainsFunc(all[:i], func(o planner.Coding) bool { return beats(o, c) }) &&
			!slices.ContainsFunc(all[i+1:], func(o planner.Coding) bool { return beats(o, c) && !beats(c, o) }) {
			kept = append(kept, c)
		}
	}
	return kept
}

func beats(a, b planner.Coding) bool {
	return a.Bytes <= b.Bytes && a.Encode <= b.Encode && a.Decode <= b.Decode && a.Loss <= b.Loss
}

// curve is the points of a value that is in the file as it is in the graph.
func (a Accuracy) curve(f *calibrate.File, v *split.Value) []calibrate.Point {
	if f == nil {
		return nil
	}
	c := f.Value(v.Name)
	if c == nil || c.DType != v.DType.String() || !c.Shape.Equal(v.Shape) {
		return nil
	}
	return c.Points
}

// calibrated is a point as a coding, when the answer may change as much at all.
func (a Accuracy) calibrated(p *calibrate.Point, v *split.Value) (planner.Coding, bool) {
	s, err := codec.Parse(p.Codec)
	if err != nil {
		return planner.Coding{}, false
	}
	n, err := v.Shape.Elements()
	if err != nil {
		return planner.Coding{}, false
	}
	c := planner.Coding{
		Codec: p.Codec, Bytes: int64(p.Bytes + 0.5), Encode: p.EncodeNS * float64(n) / 1e9, Decode: p.DecodeNS * float64(n) / 1e9,
	}
	switch {
	case s.Lossless():
		return c, true
	case a.Lossless || a.Agreement > 0 && p.Effect.Agreement < 0: // no task: nothing is known of the answers
		return c, false
	case a.Agreement > 0:
		c.Loss = 1 - p.Effect.Agreement
	default:
		c.Loss = p.Effect.Error
	}
	limit := a.Limit()
	return c, limit == 0 || c.Loss <= limit
}

// Effect says in words what a value costs on its way and what that does to the answer; "" when f does not know the codec there.
func Effect(f *calibrate.File, v *split.Value, spec string) string {
	if f == nil {
		return ""
	}
	c := f.Value(v.Name)
	if c == nil {
		return ""
	}
	p := c.Point(spec)
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("%.2f bits per element; output error %.3g", p.Bits, p.Effect.Error)
	if p.Effect.Agreement >= 0 {
		text += fmt.Sprintf("; %.1f %% of %d answers stay (%s, %d of %d samples flip)", 100*p.Effect.Agreement, p.Effect.Answers, f.Task, p.Effect.Flips, f.Judged)
	}
	return text
}
