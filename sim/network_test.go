package sim

import (
	"math"
	"testing"
	"time"
)

// transfer is how long flows of some sizes take that start together over routes.
func transfer(t *testing.T, wires []*wire, flows []struct {
	pair  pair
	route []*wire
	bytes float64
},
) []time.Duration {
	t.Helper()
	var c clock
	n := newNetwork(&c)
	n.wires = wires
	ends := make([]time.Duration, len(flows))
	c.at(0, func() {
		for i, f := range flows {
			n.send(f.pair, f.route, f.bytes, func() { ends[i] = c.now })
		}
	})
	for c.step() {
	}
	if len(n.flows) != 0 {
		t.Fatalf("%d flows never ended", len(n.flows))
	}
	return ends
}

type flows = []struct {
	pair  pair
	route []*wire
	bytes float64
}

func near(t *testing.T, what string, got time.Duration, want float64) {
	t.Helper()
	if math.Abs(got.Seconds()-want) > 0.001*want+1e-6 {
		t.Errorf("%s took %v, want %.6f s", what, got, want)
	}
}

// TestMaxMin is the classic example: one long flow over two wires against one short flow on each. The narrow wire gives
// half each; the wide one gives its short flow what the long one leaves.
func TestMaxMin(t *testing.T) {
	narrow, wide := &wire{rate: 1e6}, &wire{rate: 3e6}
	ends := transfer(t, []*wire{narrow, wide}, flows{
		{pair{0, 2}, []*wire{narrow, wide}, 5e5},
		{pair{0, 1}, []*wire{narrow}, 1e6},
		{pair{1, 2}, []*wire{wide}, 2.5e6},
	})
	near(t, "long", ends[0], 1)     // 0.5 MB at 0.5 MB/s
	near(t, "narrow", ends[1], 1.5) // then all of the narrow wire
	near(t, "wide", ends[2], 1)     // 2.5 MB/s beside the long flow
}

// TestSlowStart sends more than the first window over a long fat wire: each round of 100 ms doubles the window.
func TestSlowStart(t *testing.T) {
	w := &wire{rate: 125e6, delay: 50 * time.Millisecond, queue: 1e6}
	for rounds, bytes := range map[float64]float64{0: InitialWindow / 2, 1: 2 * InitialWindow, 2: 6 * InitialWindow} {
		ends := transfer(t, []*wire{w}, flows{{pair{0, 1}, []*wire{w}, bytes}})
		last := bytes - (math.Pow(2, rounds)-1)*InitialWindow // in the last round
		near(t, "slow start", ends[0], rounds*0.1+last/w.rate)
	}
}

// TestLoss holds a long flow to the square-root law.
func TestLoss(t *testing.T) {
	w := &wire{rate: 125e6, delay: 50 * time.Millisecond, loss: 0.01, queue: 1e6}
	const bytes = 10e6
	ends := transfer(t, []*wire{w}, flows{{pair{0, 1}, []*wire{w}, bytes}})
	window := segment * math.Sqrt(1.5/0.01)
	if want := bytes / 0.99 / (window / 0.1); math.Abs(ends[0].Seconds()/want-1) > 0.02 {
		t.Errorf("took %v, want about %.1f s", ends[0], want)
	}
}

// TestFullWire runs many flows of one connection over a wire whose window is open: nothing is left idle.
func TestFullWire(t *testing.T) {
	w := &wire{rate: 1e6, delay: 5 * time.Millisecond, queue: 1e5}
	var fs flows
	for range 20 {
		fs = append(fs, flows{{pair{0, 1}, []*wire{w}, 1e5}}...)
	}
	ends := transfer(t, []*wire{w}, fs)
	near(t, "the last", ends[19], 2)
}
