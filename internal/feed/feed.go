// Package feed hands events from whoever reports them, without ever blocking it, to one reader, in order.
package feed

import (
	"context"
	"sync"
)

// Feed is a bounded queue with a channel at its end. Put is safe for concurrent use; Run belongs to one goroutine.
type Feed[T any] struct {
	limit    int
	overflow func(waiting []T) []T
	out      chan T
	wake     chan struct{}

	mu      sync.Mutex
	waiting []T
}

// New makes a feed in which at most limit events wait for the reader. When one more comes, overflow gives what remains of those
// that wait, which must be fewer than limit.
func New[T any](limit int, overflow func(waiting []T) []T) *Feed[T] {
	return &Feed[T]{limit: limit, overflow: overflow, out: make(chan T), wake: make(chan struct{}, 1)}
}

// DropOldest is an overflow that loses the event that has waited longest.
func DropOldest[T any](waiting []T) []T { return waiting[1:] }

// Put adds an event. It does not block.
func (f *Feed[T]) Put(e T) {
	f.mu.Lock()
	if len(f.waiting) >= f.limit {
		f.waiting = f.overflow(f.waiting)
	}
	f.waiting = append(f.waiting, e)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Events is where the reader takes events; it is closed when Run has ended.
func (f *Feed[T]) Events() <-chan T { return f.out }

// Run moves events to the reader until ctx ends.
func (f *Feed[T]) Run(ctx context.Context) {
	defer close(f.out)
	for {
		e, ok := f.take()
		if !ok {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case f.out <- e:
		case <-ctx.Done():
			return
		}
	}
}

func (f *Feed[T]) take() (e T, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		return e, false
	}
	e = f.waiting[0]
	f.waiting = f.waiting[1:]
	return e, true
}
