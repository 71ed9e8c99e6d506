//go:build !linux

package pool

// yield does nothing where the system has no such call.
func yield() {}
