// Package pool is the process's fixed set of worker goroutines: it splits the units of a Task over them.
//
// The caller always takes part, and takes back what no worker has picked up by the time it has finished its own share, so
// that a call is never slower than on one goroutine by more than a hand-off (about a microsecond). Workers spin for a
// fraction of a millisecond after their last unit, since the next op of a model follows at once, and then park. Waking one
// takes longer than a small op: how long is measured whenever it is done, and a call wakes workers only when it is worth that by
// itself, or when those just before it have together missed as much. Nothing is allocated per call.
//
// Units are cut into one range per goroutine, and each goroutine begins with the same range in every call, so that an op finds
// in its core's cache what that core computed in the op before; who is done helps with the other ranges.
package pool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Task is work cut into units that can run in any order and at the same time.
type Task interface {
	// Units is how many there are.
	Units() int
	// Nanos estimates how long all units take on one core, in nanoseconds.
	Nanos() int
	// Run computes units lo to hi-1. It is called from several goroutines at once with disjoint ranges.
	Run(lo, hi int)
}

const (
	// minNanos is the least work worth handing to another core.
	minNanos = 12_000
	// shareNanos is the least work of one worker's share.
	shareNanos = 6_000
	// chunksPerWorker is how finely a share is cut so that a slow core does not hold up the others.
	chunksPerWorker = 4
	// spins is how often an idle worker looks for work before it parks; one is a few tens of nanoseconds.
	spins = 5000
	// patience is how often somebody who waits looks before offering the core to other threads, every yieldEvery times: the
	// system may have put the goroutine that is waited for on the same core, where it would not run until the turn is over.
	patience, yieldEvery = 1000, 64
	// awakeNanos is about how long an idle worker looks for work.
	awakeNanos = 200_000
	// firstLatency is taken for the time that waking a worker takes until it has been measured, and maxLatency is the most that counts of
	// one measurement, in nanoseconds.
	firstLatency, maxLatency = 20_000, 1_000_000
)

// Pool splits tasks over at most Threads goroutines, its caller among them. It is safe for concurrent use: calls share the
// process's workers, and one that finds none idle runs alone.
type Pool struct {
	threads int
}

// New returns a Pool of at most threads goroutines; 0 or less means as many as the process has workers (GOMAXPROCS at the
// first use). All pools share the same workers.
func New(threads int) *Pool {
	shared.start()
	if most := len(shared.workers) + 1; threads <= 0 || threads > most {
		threads = most
	}
	return &Pool{threads: threads}
}

// Threads is how many goroutines a task may run on.
func (p *Pool) Threads() int { return p.threads }

// Run computes every unit of t and returns when the last one is done. A panic of t on a worker becomes a panic of Run.
func (p *Pool) Run(t Task) {
	n := t.Units()
	if n <= 0 {
		return
	}
	if n == 1 || p.threads == 1 {
		t.Run(0, n)
		return
	}
	nanos := t.Nanos()
	if nanos < minNanos {
		t.Run(0, n)
		return
	}
	shared.run(t, n, min(p.threads, n, max(2, nanos/shareNanos)), nanos)
}

// shared is the process's workers.
var shared workers

type workers struct {
	once    sync.Once
	workers []*worker
	jobs    sync.Pool
	begun   time.Time // what moments are counted from

	latency  atomic.Int64 // nanoseconds from waking a worker to its coming, a moving average
	missed   atomic.Int64 // nanoseconds of work that calls have kept from sleeping workers, one soon after the other
	missedAt atomic.Int64 // the moment of the last of them
}

// worker is one goroutine. Its mailbox holds nil when it is idle, a job that it has not picked up, or &busy.
type worker struct {
	seat    int // its number, from 1 on, which chooses the range that it begins with; 0 is the caller
	mailbox atomic.Pointer[job]
	parked  atomic.Bool
	wake    chan int64 // the moment of waking
	_       [64]byte   // keeps mailboxes of two workers out of one cache line
}

// job is one call of Run under way.
type job struct {
	task     Task
	chunk    int64
	ranges   []span       // one per goroutine that may take part
	finished atomic.Int32 // workers that took part and are done
	panicked atomic.Pointer[failure]
	handed   []*worker
}

// span is a range of units, taken from its beginning.
type span struct {
	next atomic.Int64 // first unit that nobody has taken
	end  int64
	_    [48]byte // keeps two of them out of one cache line
}

type failure struct{ value any }

// busy marks the mailbox of a worker that is running a job.
var busy job

func (ws *workers) start() {
	ws.once.Do(func() {
		n := runtime.GOMAXPROCS(0) - 1
		ws.begun = time.Now()
		ws.latency.Store(firstLatency)
		ws.jobs.New = func() any { return &job{handed: make([]*worker, 0, n), ranges: make([]span, n+1)} }
		for i := range n {
			w := &worker{seat: i + 1, wake: make(chan int64, 1)}
			ws.workers = append(ws.workers, w)
			go w.loop(ws)
		}
	})
}

// run computes the units of t, which take about nanos on one core, on at most threads goroutines.
func (ws *workers) run(t Task, units, threads, nanos int) {
	j := ws.jobs.Get().(*job)
	j.task = t
	j.chunk = int64(max(1, units/(threads*chunksPerWorker)))
	j.ranges = j.ranges[:min(threads, cap(j.ranges))]
	for i := range j.ranges {
		j.ranges[i].next.Store(int64(units * i / len(j.ranges)))
		j.ranges[i].end = int64(units * (i + 1) / len(j.ranges))
	}
	j.finished.Store(0)
	if !ws.hand(j, threads-1, false) && ws.worthWaking(nanos) {
		ws.hand(j, threads-1, true)
	}
	defer ws.settle(j)
	j.work(0)
}

// hand gives the job to idle workers until n have it, and reports whether so many were found: to those that are awake, or to
// those that sleep too.
func (ws *workers) hand(j *job, n int, asleep bool) bool {
	for _, w := range ws.workers {
		if len(j.handed) == n {
			break
		}
		if !asleep && w.parked.Load() || !w.mailbox.CompareAndSwap(nil, j) {
			continue
		}
		j.handed = append(j.handed, w)
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- ws.now()
		}
	}
	return len(j.handed) == n
}

// now is nanoseconds since the workers began.
func (ws *workers) now() int64 { return int64(time.Since(ws.begun)) }

// worthWaking reports whether a call of so much work should wake workers: it pays when half of the work takes longer than their
// coming. What smaller calls miss is added up as long as they follow each other, so that a row of them wastes no more than a
// waking costs.
func (ws *workers) worthWaking(nanos int) bool {
	price := 2 * ws.latency.Load()
	if int64(nanos) >= price {
		return true
	}
	now := ws.now()
	if now-ws.missedAt.Swap(now) > price+awakeNanos {
		ws.missed.Store(0)
	}
	if ws.missed.Add(int64(nanos)) < price {
		return false
	}
	ws.missed.Store(0)
	return true
}

// came notes that a worker woken at a moment is there.
func (ws *workers) came(woken int64) {
	old := ws.latency.Load()
	ws.latency.Store(old + (min(ws.now()-woken, maxLatency)-old)/8)
}

// settle takes the job back from workers that have not begun it, waits for the others and frees it. It is deferred so that
// a panicking task does not leave workers with a job that is gone.
func (ws *workers) settle(j *job) {
	begun := int32(0)
	for _, w := range j.handed {
		if !w.mailbox.CompareAndSwap(j, nil) {
			begun++
		}
	}
	for i := 0; j.finished.Load() < begun; i++ {
		pause()
		if i > patience && i%yieldEvery == 0 {
			yield()
			runtime.Gosched()
		}
	}
	failed := j.panicked.Swap(nil)
	j.task, j.handed = nil, j.handed[:0]
	ws.jobs.Put(j)
	if failed != nil {
		panic(fmt.Sprintf("on a pool worker: %v", failed.value))
	}
}

// work takes chunks until none are left, beginning with the range of the given seat.
func (j *job) work(seat int) {
	for i := range j.ranges {
		r := &j.ranges[(seat+i)%len(j.ranges)]
		for r.next.Load() < r.end {
			hi := r.next.Add(j.chunk)
			lo := hi - j.chunk
			if lo >= r.end {
				break
			}
			j.task.Run(int(lo), int(min(hi, r.end)))
		}
	}
}

func (w *worker) loop(ws *workers) {
	idle := 0
	for {
		j := w.mailbox.Load()
		if j != nil && w.mailbox.CompareAndSwap(j, &busy) {
			j.help(w.seat)
			w.mailbox.Store(nil)
			j.finished.Add(1)
			idle = 0
			continue
		}
		if idle++; idle < spins {
			if idle > patience && idle%yieldEvery == 0 {
				yield()
			}
			pause()
			continue
		}
		w.parked.Store(true)
		if w.mailbox.Load() != nil && w.parked.CompareAndSwap(true, false) {
			idle = 0
			continue
		}
		ws.came(<-w.wake)
		idle = 0
	}
}

func (j *job) help(seat int) {
	defer func() {
		if v := recover(); v != nil {
			j.panicked.Store(&failure{v})
			for i := range j.ranges { // nobody begins another chunk
				j.ranges[i].next.Store(j.ranges[i].end)
			}
		}
	}()
	j.work(seat)
}
