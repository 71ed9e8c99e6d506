package pool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// counting is a task that counts how often each unit ran.
type counting struct {
	runs  []atomic.Int32
	nanos int
	fail  int // the unit that panics, or -1
}

func (c *counting) Units() int { return len(c.runs) }
func (c *counting) Nanos() int { return c.nanos }
func (c *counting) Run(lo, hi int) {
	for u := lo; u < hi; u++ {
		if u == c.fail {
			panic("unit fails")
		}
		c.runs[u].Add(1)
		// Let other goroutines in, so that units really run on several.
		runtime.Gosched()
	}
}

func (c *counting) check(t *testing.T) {
	t.Helper()
	for u := range c.runs {
		if n := c.runs[u].Swap(0); n != 1 {
			t.Fatalf("unit %d of %d ran %d times", u, len(c.runs), n)
		}
	}
}

// crew makes workers of its own, so that the tests do not depend on the machine's cores.
func crew(t *testing.T, n int) *workers {
	ws := &workers{}
	before := runtime.GOMAXPROCS(n + 1)
	ws.start()
	runtime.GOMAXPROCS(before)
	if len(ws.workers) != n {
		t.Fatalf("%d workers, want %d", len(ws.workers), n)
	}
	return ws
}

func TestEveryUnitOnce(t *testing.T) {
	ws := crew(t, 3)
	for units := 1; units < 200; units++ {
		c := &counting{runs: make([]atomic.Int32, units), fail: -1}
		ws.run(c, units, 1+units%4)
		c.check(t)
	}
}

func TestConcurrentCallers(t *testing.T) {
	ws := crew(t, 3)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			c := &counting{runs: make([]atomic.Int32, 37), fail: -1}
			for range 200 {
				ws.run(c, 37, 4)
				c.check(t)
			}
		})
	}
	callers.Wait()
}

func TestPanic(t *testing.T) {
	ws := crew(t, 3)
	for range 50 {
		c := &counting{runs: make([]atomic.Int32, 40), fail: 17}
		func() {
			defer func() {
				if recover() == nil {
					t.Fatal("the panic of a unit was lost")
				}
			}()
			ws.run(c, 40, 4)
		}()
	}
	// The workers are alive.
	c := &counting{runs: make([]atomic.Int32, 40), fail: -1}
	ws.run(c, 40, 4)
	c.check(t)
}

func TestNoAllocations(t *testing.T) {
	p := New(0)
	c := &counting{runs: make([]atomic.Int32, 40), nanos: 1 << 20, fail: -1}
	if n := testing.AllocsPerRun(100, func() { p.Run(c) }); n > 0 {
		t.Fatalf("%v allocations per run", n)
	}
}

func TestThreads(t *testing.T) {
	if n := New(1).Threads(); n != 1 {
		t.Fatalf("New(1) has %d threads", n)
	}
	if n := New(0).Threads(); n < 1 {
		t.Fatalf("New(0) has %d threads", n)
	}
}

// BenchmarkHandOff measures a task of many tiny units that is handed to other cores.
func BenchmarkHandOff(b *testing.B) {
	p := New(0)
	c := &counting{runs: make([]atomic.Int32, 16), nanos: 1 << 20, fail: -1}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(c)
	}
}
