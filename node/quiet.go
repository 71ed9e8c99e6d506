package node

import "sync"

// newQuiet is the lock that emulated machines on one host hold while they take timings: a lock on the topology file that they
// share. A node that is not emulated needs none and gets nil.
func newQuiet(set *settings) (sync.Locker, error) {
	if set.topo == nil {
		return nil, nil
	}
	return openFileLock(set.Topology)
}
