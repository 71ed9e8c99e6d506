// Package transporttest builds meshes of hosts in one process, over loopback sockets or a simulated network, for tests, and holds
// the suite that every network under them must pass.
package transporttest
