package pool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
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

// enough is work that is worth waking every worker, in nanoseconds.
const enough = 1 << 30

func TestEveryUnitOnce(t *testing.T) {
	ws := crew(t, 3)
	for units := 1; units < 200; units++ {
		c := &counting{runs: make([]atomic.Int32, units), fail: -1}
		ws.run(c, units, 1+units%4, enough)
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
				ws.run(c, 37, 4, enough)
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
			ws.run(c, 40, 4, enough)
		}()
	}
	// The workers are alive.
	c := &counting{runs: make([]atomic.Int32, 40), fail: -1}
	ws.run(c, 40, 4, enough)
	c.check(t)
}

func TestNoAllocations(t *testing.T) {
	p := New(0)
	c := &counting{runs: make([]atomic.Int32, 40), nanos: 1 << 20, fail: -1}
	if n := testing.AllocsPerRun(100, func() { p.Run(c) }); n > 0 {
		t.Fatalf("%v allocations per run", n)
	}
}

// TestWaking: small calls leave sleeping workers alone until a row of them has missed what a waking costs.
func TestWaking(t *testing.T) {
	ws := crew(t, 1)
	const latency = int64(1e9)
	ws.latency.Store(latency)
	if !ws.worthWaking(int(2 * latency)) {
		t.Error("much work does not wake")
	}
	for round := range 2 {
		for i, want := range []bool{false, false, false, true} {
			if got := ws.worthWaking(int(latency / 2)); got != want {
				t.Errorf("round %d, call %d wakes: %v", round, i, got)
			}
		}
	}
	for i := range 10 { // each long after the one before
		ws.missedAt.Store(-1 << 40)
		if ws.worthWaking(int(latency / 2)) {
			t.Errorf("call %d, which stands alone, wakes", i)
		}
	}
	ws.came(ws.now() - latency*100)
	if got := ws.latency.Load(); got != latency+(maxLatency-latency)/8 {
		t.Errorf("after a late coming the latency is %d", got)
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

// busyTask keeps a core busy for its units.
type busyTask struct{ units, nanos int }

func (b *busyTask) Units() int { return b.units }
func (b *busyTask) Nanos() int { return b.nanos }
func (b *busyTask) Run(lo, hi int) {
	for end := time.Now().Add(time.Duration((hi - lo) * b.nanos / b.units)); time.Now().Before(end); {
		pause()
	}
}

// BenchmarkSmallTask: a small task on one thread and on two, with workers that are awake and with ones that have parked.
func BenchmarkSmallTask(b *testing.B) {
	for _, between := range []time.Duration{0, 400 * time.Microsecond} {
		for _, nanos := range []int{12_000, 20_000, 40_000, 80_000} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("after %v/%d us/%d threads", between, nanos/1000, threads), func(b *testing.B) {
					p, t, total := New(threads), &busyTask{64, nanos}, time.Duration(0)
					for b.Loop() {
						for end := time.Now().Add(between); time.Now().Before(end); {
							pause()
						}
						begin := time.Now()
						p.Run(t)
						total += time.Since(begin)
					}
					b.ReportMetric(float64(total.Nanoseconds())/float64(b.N)/1000, "us")
				})
			}
		}
	}
}
