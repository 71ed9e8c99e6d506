//go:build !linux

package shape

// newPreciseTimer reports that the system has no timer better than Go's.
func newPreciseTimer() timer { return nil }
