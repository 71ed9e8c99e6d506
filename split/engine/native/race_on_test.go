//go:build race

package native

// raceEnabled: under the race detector sync.Pool drops items at random, so counts of allocations say nothing.
const raceEnabled = true
