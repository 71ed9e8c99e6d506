// Package lab runs a topology file over real node processes and sockets shaped to it, on one machine.
package lab
