package feed

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// read takes every event that waits, in a bubble of synctest.
func read(t *testing.T, f *Feed[int]) []int {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	go f.Run(ctx)
	var got []int
	go func() {
		for e := range f.Events() {
			got = append(got, e)
		}
	}()
	synctest.Wait()
	stop()
	synctest.Wait() // the reader has seen the end
	return got
}

func TestFeedKeepsOrderAndItsLimit(t *testing.T) {
	for _, tt := range []struct {
		name     string
		overflow func([]int) []int
		want     []int
	}{
		{"drops the oldest", DropOldest[int], []int{3, 4, 5}},
		{"says that it fell behind", func(w []int) []int { return append(w[:0], -1) }, []int{-1, 4, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := New(3, tt.overflow)
				for i := 1; i <= 5; i++ {
					f.Put(i)
				}
				if got := read(t, f); !slices.Equal(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestFeedWakesItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(8, DropOldest[int])
		ctx, stop := context.WithCancel(t.Context())
		go f.Run(ctx)
		synctest.Wait() // Run waits for an event
		for i := range 3 {
			f.Put(i)
			if got := <-f.Events(); got != i {
				t.Errorf("got %d, want %d", got, i)
			}
		}
		stop()
		if e, open := <-f.Events(); open {
			t.Errorf("event %d after the end", e)
		}
	})
}
