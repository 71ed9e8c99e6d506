//go:build unix

package node

import (
	"os"
	"sync"
	"syscall"
)

// fileLock excludes goroutines of this process by its mutex, and other processes by an advisory lock on a file that is only
// opened while the lock is held.
type fileLock struct {
	path string
	mu   sync.Mutex
	file *os.File // guarded by mu; nil where the file could not be opened or locked
}

func openFileLock(path string) (sync.Locker, error) { return &fileLock{path: path}, nil }

func (l *fileLock) Lock() {
	l.mu.Lock()
	f, err := os.Open(l.path)
	if err != nil {
		return // timings are then taken in company: less exact, not wrong
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			break
		}
	}
	l.file = f
}

func (l *fileLock) Unlock() {
	if l.file != nil {
		l.file.Close() // which unlocks it
		l.file = nil
	}
	l.mu.Unlock()
}
