//go:build !linux

package tensor

// cool does nothing: where the hint is missing or means something else, the system takes back clean pages when it needs them.
func cool([]byte) {}
