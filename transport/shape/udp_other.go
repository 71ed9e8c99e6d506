//go:build !linux

package shape

import "net"

// wrapUDP adds nothing where the system has no batched socket calls.
func wrapUDP(c *Conn) net.PacketConn { return c }

// SegmentSize is the size in bytes of the segments into which the system is asked to cut a buffer; only Linux does that.
func SegmentSize([]byte) int { return 0 }
