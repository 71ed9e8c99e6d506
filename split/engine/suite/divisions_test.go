package suite

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// TestSharedDivisions holds operator splits of shared models to the bits of the undivided block: from some groups on, the longest
// block of up to six groups that can be divided along each axis, in two or three uneven parts. With CLEAVE_CUTS=all it takes every
// group of every model.
func TestSharedDivisions(t *testing.T) {
	small := []string{"resnet8-cifar10", "vww-96", "blazeface-front", "ultraface-rfb-320", "yunet", "kwt1", "mobilenetv2-int8", "light-squeezenet"}
	all := os.Getenv("CLEAVE_CUTS") == "all"
	for _, c := range sharedModels(t) {
		if !all && !slices.Contains(small, c.Name) {
			continue
		}
		g, _, err := ready(c)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(g.Groups)/8)
		if all {
			step = 1
		}
		done, equal, refused := 0, 0, map[string]int{}
		for first := 0; first < len(g.Groups); first += step {
			for _, d := range divisions(g, split.GroupID(first), 6, refused) {
				distance, err := CheckDivision(context.Background(), native.New(native.Config{}), g, d, engine.Options{})
				if err != nil || distance > 0 {
					t.Errorf("%s: groups %q to %q along axis %d in %v: distance %g, error %v", c.Name,
						g.Groups[d.First].Name, g.Groups[d.Last].Name, d.Axis, d.Parts, distance, err)
				}
				if done++; distance == 0 {
					equal++
				}
			}
		}
		t.Logf("%s: %d of %d divisions of %d groups equal bit for bit, refused %v", c.Name, equal, done, len(g.Groups), refused)
	}
}

// divisions lists, for each axis, the longest block from first on that can be divided along it.
func divisions(g *split.Graph, first split.GroupID, longest int, refused map[string]int) []split.Division {
	var out []split.Division
	for axis := range 4 {
		var best *split.Division
		for last := first; last < first+split.GroupID(longest) && int(last) < len(g.Groups); last++ {
			v, err := g.BlockOutput(first, last)
			if err != nil || axis >= len(g.Values[v].Shape) || g.Values[v].Shape[axis] < 2 {
				continue
			}
			n := g.Values[v].Shape[axis]
			d := split.Division{First: first, Last: last, Axis: axis, Parts: []int{(n + 2) / 3, n - (n+2)/3}}
			if n > 4 {
				d.Parts = []int{n / 4, n / 2, n - n/4 - n/2}
			}
			switch _, err := g.Divide([]split.Division{d}); {
			case err == nil:
				best = &d
			case !errors.Is(err, split.ErrNotDivisible):
				best = &d // CheckDivision reports it
			default:
				refused[reason(err)]++
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	return out
}

func reason(err error) string {
	s := err.Error()
	return s[strings.LastIndex(s, "divided: ")+len("divided: "):][:min(28, len(s)-strings.LastIndex(s, "divided: ")-len("divided: "))]
}
