package node

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestOverheads times transfers with a known overhead and noise, among them some while the path was another one.
func TestOverheads(t *testing.T) {
	const seed = 4
	rng := rand.New(rand.NewPCG(seed, 0))
	o := newOverheads()
	if got := o.of("a"); got != defaultOverhead {
		t.Errorf("before any transfer: %v", got)
	}
	const expected, overhead = 60 * time.Millisecond, 7 * time.Millisecond
	for i := range 60 {
		took := expected + overhead + time.Duration(rng.NormFloat64()*float64(time.Millisecond))
		if i%10 == 9 {
			took = 20 * expected
		}
		o.note("a", expected, took)
	}
	if got := o.of("a"); got < overhead-time.Millisecond || got > overhead+time.Millisecond {
		t.Errorf("overhead %v, want %v (seed %d)", got, overhead, seed)
	}
	for range 60 {
		o.note("a", expected, expected-time.Millisecond)
	}
	if got := o.of("a"); got != 0 {
		t.Errorf("overhead %v of transfers quicker than expected", got)
	}
	if got := o.of("b"); got != defaultOverhead {
		t.Errorf("another path: %v", got)
	}
}
