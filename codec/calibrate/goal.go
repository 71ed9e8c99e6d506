package calibrate

import (
	"fmt"
	"strings"
)

// Goal is what is wanted of a codec: an error target in, bits out, or the other way round. Zero fields ask for nothing.
type Goal struct {
	// MaxError is the most relative error of the model's outputs.
	MaxError float64 `json:"max_error,omitempty"`
	// Agreement is the least share of answers that stay.
	Agreement float64 `json:"agreement,omitempty"`
	// Bits is the most bits per element.
	Bits float64 `json:"bits,omitempty"`
}

// String says the goal in words; "" for none.
func (g Goal) String() string {
	var parts []string
	if g.MaxError > 0 {
		parts = append(parts, fmt.Sprintf("output error at most %g", g.MaxError))
	}
	if g.Agreement > 0 {
		parts = append(parts, fmt.Sprintf("at least %g %% of answers stay", 100*g.Agreement))
	}
	if g.Bits > 0 {
		parts = append(parts, fmt.Sprintf("at most %g bits per element", g.Bits))
	}
	return strings.Join(parts, ", ")
}

// Choose is the point that meets the goal best: of those that meet all of it, the one with the fewest bits when it limits what
// becomes of the answer, else the one that changes the outputs least. It is nil when no point meets the goal.
func (g Goal) Choose(points []Point) *Point {
	var best *Point
	for i := range points {
		p := &points[i]
		switch {
		case g.MaxError > 0 && p.Effect.Error > g.MaxError, g.Agreement > 0 && p.Effect.Agreement < g.Agreement, g.Bits > 0 && p.Bits > g.Bits:
			continue
		case best == nil:
		case g.MaxError > 0 || g.Agreement > 0:
			if p.Bits >= best.Bits {
				continue
			}
		case p.Effect.Error > best.Effect.Error || p.Effect.Error == best.Effect.Error && p.Bits >= best.Bits:
			continue
		}
		best = p
	}
	return best
}

// Choose records the goal and, for each value and cut, the codec that meets it best, "" where none does.
func (f *File) Choose(g Goal) {
	f.Goal = &g
	chosen := func(points []Point) string {
		if p := g.Choose(points); p != nil {
			return p.Codec
		}
		return ""
	}
	for i := range f.Values {
		f.Values[i].Choice = chosen(f.Values[i].Points)
	}
	for i := range f.Cuts {
		f.Cuts[i].Choice = chosen(f.Cuts[i].Points)
	}
}
