//go:build !noasm

package kernel

import "testing"

// TestReductionsEqualGo: the vectors round as the Go loop does, since both fuse.
func TestReductionsEqualGo(t *testing.T) {
	best := active
	t.Cleanup(func() { active = best })
	r := seeded(t)
	x, z := uniform(r, 1100), uniform(r, 1100)
	for n := 0; n <= 1000; n += 1 + n/40 {
		a, b := x[n%17:n%17+n], z[n%5:n%5+n]
		active = Generic
		want := [4]float32{Sum(a), SumSquares(a, 0.25), Dot(a, b), MaxOf(a)}
		active = NEON
		if got := [4]float32{Sum(a), SumSquares(a, 0.25), Dot(a, b), MaxOf(a)}; got != want {
			t.Fatalf("sum, squares, dot, max of %d elements: %v, Go gives %v", n, got, want)
		}
	}
}
