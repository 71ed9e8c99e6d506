package alarm

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// exact waits on a timerfd, which the kernel serves from its high-resolution clock. Go's poller waits for the descriptor, so that
// neither a thread nor a processor is held meanwhile; its own timers are as exact as epoll_wait, whose unit is a millisecond.
type exact struct {
	file *os.File
	fd   int

	mu      sync.Mutex
	at      time.Time // zero: nothing set
	stopped bool
}

// newExact is nil when the system grants no descriptor.
func newExact() Timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil
	}
	return &exact{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}
}

func (t *exact) Set(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || !t.at.IsZero() && !at.Before(t.at) {
		return
	}
	t.at = at
	t.arm(time.Until(at))
}

// arm makes the descriptor readable after d; t.mu is held.
func (t *exact) arm(d time.Duration) {
	v := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(1, d)))}
	// The call can only fail for a bad descriptor or a bad time.
	_ = unix.TimerfdSettime(t.fd, 0, &v, nil)
}

func (t *exact) Wait() bool {
	var b [8]byte
	if _, err := t.file.Read(b[:]); err != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at = time.Time{}
	return !t.stopped
}

func (t *exact) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.arm(0)
}

func (t *exact) Close() { _ = t.file.Close() }
