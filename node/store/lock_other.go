//go:build !unix

package store

import "os"

// lockFile does nothing where the system has no advisory locks: the ports of a second node collide there anyway.
func lockFile(*os.File) error { return nil }
