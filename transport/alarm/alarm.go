// Package alarm waits until a moment more exactly than Go's timers, which on an idle Linux process are late by up to a
// millisecond: the time that a path of 10 Mbps takes for a packet.
package alarm

import (
	"sync"
	"time"
)

// Timer waits until a moment; one goroutine waits, others set.
type Timer interface {
	// Set makes the wait end at that moment. It is called with the earliest moment that anything is to be done.
	Set(at time.Time)
	// Wait blocks until the moment last set, or longer when Stop was called before: then it reports false.
	Wait() bool
	// Stop ends the wait for ever.
	Stop()
	// Close frees what the timer holds; no wait may be under way.
	Close()
}

// New is the system's most exact timer.
func New() Timer {
	if t := newExact(); t != nil {
		return t
	}
	return NewPlain()
}

// coarse is how late Go's timers may be.
const coarse = time.Millisecond

var sleepers = sync.Pool{New: func() any { return newExact() }}

// Sleep waits exactly, and reports false when done was closed meanwhile: at once, but for the last two milliseconds.
func Sleep(d time.Duration, done <-chan struct{}) bool {
	end := time.Now().Add(d)
	if d > 2*coarse {
		if !PlainSleep(d-coarse, done) {
			return false
		}
	}
	t, _ := sleepers.Get().(Timer)
	if t == nil {
		return PlainSleep(time.Until(end), done)
	}
	t.Set(end)
	t.Wait()
	sleepers.Put(t)
	return true
}

// PlainSleep waits on one of Go's timers, and reports false when done was closed meanwhile.
func PlainSleep(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// plain waits on an ordinary timer.
type plain struct {
	moved chan time.Time
	done  chan struct{}
}

// NewPlain is a timer made of Go's own, as testing/synctest needs them.
func NewPlain() Timer {
	return &plain{moved: make(chan time.Time, 1), done: make(chan struct{})}
}

func (t *plain) Set(at time.Time) {
	for {
		select {
		case t.moved <- at:
			return
		case <-t.done:
			return
		default:
		}
		select {
		case old := <-t.moved:
			if old.Before(at) {
				at = old
			}
		default:
		}
	}
}

func (t *plain) Wait() bool {
	var at time.Time
	var fire <-chan time.Time
	var tm *time.Timer
	for {
		select {
		case <-t.done:
			return false
		case next := <-t.moved:
			if at.IsZero() || next.Before(at) {
				at = next
				if tm != nil {
					tm.Stop()
				}
				tm = time.NewTimer(time.Until(at))
				fire = tm.C
			}
		case <-fire:
			return true
		}
	}
}

func (t *plain) Stop()  { close(t.done) }
func (t *plain) Close() {}
