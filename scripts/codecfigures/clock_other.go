//go:build !linux

package main

import "time"

var start = time.Now()

// threadTime is wall time where the system does not tell a thread's own.
func threadTime() time.Duration { return time.Since(start) }
