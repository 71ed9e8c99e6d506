// Package transporttest builds meshes of hosts in one process, over loopback sockets or a simulated network, for tests.
package transporttest
