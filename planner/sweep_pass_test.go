package planner

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// However many expand the labels, a pass comes to the same plan and the same bound, by the same number of steps.
func TestCrewChangesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	in, err := newInstance(meshOf(rand.New(rand.NewPCG(6, 6)), 10, 3, 4, 3))
	if err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		bound    float64
		complete bool
		place    []NodeID
		explored int
	}
	for _, tolerance := range []float64{0, 0.02} {
		var alone outcome
		for crew := 1; crew <= maxCrew; crew++ {
			runtime.GOMAXPROCS(crew)
			s := newSweep(context.Background(), in)
			s.best, _ = in.incumbent()
			var got outcome
			got.bound, got.complete = s.pass(1500, tolerance)
			got.place, got.explored = s.best.Place, s.explored
			if len(s.crew) != crew {
				t.Fatalf("%d expanders were at work, not %d: too few labels", len(s.crew), crew)
			}
			if crew == 1 {
				alone = got
			} else if got.bound != alone.bound || got.complete != alone.complete || got.explored != alone.explored || !slices.Equal(got.place, alone.place) {
				t.Errorf("tolerance %v: %d expanders end with %+v, one alone with %+v", tolerance, crew, got, alone)
			}
		}
	}
}
