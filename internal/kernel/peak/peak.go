// Package peak measures how many float32 operations per second one core can do at most, by a loop of fused multiply-adds
// that touches no memory: the ceiling that benchmarks compare products with.
package peak

import "time"

// roundFlops is the operations of one round of the loops: twelve vectors, two operations a lane.
const roundFlops = 12 * 2

// Measure runs fused multiply-adds of the given vector width for about d and returns the best rate seen, in floating-point
// operations per second; 0 where this build has no such loop. lanes is 8 for AVX2 and 16 for AVX-512.
func Measure(lanes int, d time.Duration) float64 {
	loop := fma(lanes)
	if loop == nil {
		return 0
	}
	const rounds = 200_000
	best := 0.0
	for end := time.Now().Add(d); time.Now().Before(end); {
		start := time.Now()
		loop(rounds)
		best = max(best, float64(rounds*roundFlops*lanes)/time.Since(start).Seconds())
	}
	return best
}
