//go:build !linux

package shape

import "net"

// wrapUDP adds nothing where the system has no batched socket calls.
func wrapUDP(c *Conn) net.PacketConn { return c }
