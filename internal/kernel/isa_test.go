package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// onEach runs a test once per instruction set of this machine, Generic left out when vectorOnly is set.
func onEach(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := Active()
	defer func() { active = before }()
	for _, isa := range Available() {
		active = isa
		t.Run(isa.String(), f)
	}
}

// seeded returns a generator whose seed is printed when the test fails.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

// uniform fills n values between -1 and 1.
func uniform(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
	}
	return x
}

// wantClose fails when an element differs from want by more than tol times the magnitude of the terms it is a sum of.
func wantClose(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	for i, w := range want {
		g := float64(got[i])
		if math.IsNaN(w) && math.IsNaN(g) || g == w {
			continue
		}
		if d := math.Abs(g - w); !(d <= tol*(1+math.Abs(w))) {
			t.Fatalf("%s: element %d is %v, want %v (tolerance %g)", what, i, g, w, tol)
		}
	}
}

// guarded returns a slice of n elements with canaries on both sides, at an odd offset, and a check that they are intact.
func guarded[T comparable](t *testing.T, n, offset int, canary T) ([]T, func()) {
	const margin = 64
	buf := make([]T, margin+offset+n+margin)
	for i := range buf {
		buf[i] = canary
	}
	at := margin + offset
	return buf[at : at+n : at+n], func() {
		t.Helper()
		for i, v := range buf {
			if (i < at || i >= at+n) && v != canary {
				t.Fatalf("wrote outside of a slice of %d, at %d", n, i-at)
			}
		}
	}
}

// rounds is how many random cases a test draws: n, or fewer for -short, which emulators and the race detector run with.
func rounds(n int) int {
	if testing.Short() {
		return n / 8
	}
	return n
}
