// Package pool is the process's fixed set of worker goroutines: it splits the units of a Task over them.
//
// The caller always takes part, and takes back what no worker has picked up by the time it has finished its own share, so
// that a call is never slower than on one goroutine by more than a hand-off (about a microsecond). Workers spin for a
// few microseconds after their last unit, since the next op of a model follows at once, and then park. Nothing is
// allocated per call.
package pool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
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
	spins = 1500
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
	shared.run(t, n, min(p.threads, n, max(2, nanos/shareNanos)))
}

// shared is the process's workers.
var shared workers

type workers struct {
	once    sync.Once
	workers []*worker
	jobs    sync.Pool
}

// worker is one goroutine. Its mailbox holds nil when it is idle, a job that it has not picked up, or &busy.
type worker struct {
	mailbox atomic.Pointer[job]
	parked  atomic.Bool
	wake    chan struct{}
	_       [64]byte // keeps mailboxes of two workers out of one cache line
}

// job is one call of Run under way.
type job struct {
	task     Task
	units    int64
	chunk    int64
	next     atomic.Int64 // first unit that nobody has taken
	finished atomic.Int32 // workers that took part and are done
	panicked atomic.Pointer[failure]
	handed   []*worker
}

type failure struct{ value any }

// busy marks the mailbox of a worker that is running a job.
var busy job

func (ws *workers) start() {
	ws.once.Do(func() {
		n := runtime.GOMAXPROCS(0) - 1
		ws.jobs.New = func() any { return &job{handed: make([]*worker, 0, n)} }
		for range n {
			w := &worker{wake: make(chan struct{}, 1)}
			ws.workers = append(ws.workers, w)
			go w.loop()
		}
	})
}

func (ws *workers) run(t Task, units, threads int) {
	j := ws.jobs.Get().(*job)
	j.task, j.units = t, int64(units)
	j.chunk = int64(max(1, units/(threads*chunksPerWorker)))
	j.next.Store(0)
	j.finished.Store(0)
	for _, w := range ws.workers {
		if len(j.handed) == threads-1 {
			break
		}
		if !w.mailbox.CompareAndSwap(nil, j) {
			continue
		}
		j.handed = append(j.handed, w)
		if w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	defer ws.settle(j)
	j.work()
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
		if i < spins {
			pause()
			continue
		}
		runtime.Gosched()
	}
	failed := j.panicked.Swap(nil)
	j.task, j.handed = nil, j.handed[:0]
	ws.jobs.Put(j)
	if failed != nil {
		panic(fmt.Sprintf("on a pool worker: %v", failed.value))
	}
}

// work takes chunks until none are left.
func (j *job) work() {
	for {
		hi := j.next.Add(j.chunk)
		lo := hi - j.chunk
		if lo >= j.units {
			return
		}
		j.task.Run(int(lo), int(min(hi, j.units)))
	}
}

func (w *worker) loop() {
	idle := 0
	for {
		j := w.mailbox.Load()
		if j != nil && w.mailbox.CompareAndSwap(j, &busy) {
			j.help()
			w.mailbox.Store(nil)
			j.finished.Add(1)
			idle = 0
			continue
		}
		if idle++; idle < spins {
			pause()
			continue
		}
		w.parked.Store(true)
		if w.mailbox.Load() != nil && w.parked.CompareAndSwap(true, false) {
			idle = 0
			continue
		}
		<-w.wake
		idle = 0
	}
}

func (j *job) help() {
	defer func() {
		if v := recover(); v != nil {
			j.panicked.Store(&failure{v})
			j.next.Store(j.units)
		}
	}()
	j.work()
}
