package shape

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// linuxTimer waits on a timerfd, which the kernel serves from its high-resolution clock; Go's own timers go through
// epoll_wait, whose unit is a millisecond.
type linuxTimer struct {
	mu      sync.Mutex
	fd      int
	at      time.Time // zero: nothing set
	stopped bool
}

func newPreciseTimer() timer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &linuxTimer{fd: fd}
}

func (t *linuxTimer) set(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || !t.at.IsZero() && !at.Before(t.at) {
		return
	}
	t.at = at
	t.arm(time.Until(at))
}

// arm makes the descriptor readable after d; t.mu is held.
func (t *linuxTimer) arm(d time.Duration) {
	v := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(1, d)))}
	// The call can only fail for a bad descriptor or a bad time.
	_ = unix.TimerfdSettime(t.fd, 0, &v, nil)
}

func (t *linuxTimer) wait() bool {
	var b [8]byte
	for {
		t.mu.Lock()
		stopped := t.stopped
		t.mu.Unlock()
		if stopped {
			return false
		}
		if _, err := unix.Read(t.fd, b[:]); err == unix.EINTR {
			continue
		} else if err != nil {
			return false
		}
		t.mu.Lock()
		t.at = time.Time{}
		stopped = t.stopped
		t.mu.Unlock()
		return !stopped
	}
}

func (t *linuxTimer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.arm(0)
}

func (t *linuxTimer) close() {
	_ = unix.Close(t.fd)
}
