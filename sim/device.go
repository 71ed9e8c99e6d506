package sim

import (
	"math/rand/v2"
	"time"
)

// device is a machine: it computes one stage at a time, in the order in which stages become ready. Codec work runs beside
// compute.
type device struct {
	clock *clock
	rng   *rand.Rand
	// spread is the standard deviation of a job's time relative to its mean.
	spread float64

	dead, frozen bool
	life         int // counts deaths: what belongs to an earlier life is void
	turns        int // counts deaths, freezes and returns
	queue        []*job
	running      *job
	beside       []*job // codec work
	busy         time.Duration
	held         []func() // what waits for the machine to go on
}

// job is work on a device. A cancelled job ends without calling done.
type job struct {
	name      string
	left      time.Duration
	since     time.Duration // when it last began to run
	alarm     *alarm
	cancelled bool
	done      func(start, end time.Duration)
	began     time.Duration
}

// compute queues a job that takes a time on an idle machine.
func (d *device) compute(name string, takes time.Duration, done func(start, end time.Duration)) *job {
	j := &job{name: name, left: d.noisy(takes), done: done, began: -1}
	d.queue = append(d.queue, j)
	d.next()
	return j
}

// work runs a job beside compute.
func (d *device) work(name string, takes time.Duration, done func(start, end time.Duration)) {
	j := &job{name: name, left: d.noisy(takes), done: done, began: d.clock.now}
	d.beside = append(d.beside, j)
	if !d.frozen {
		d.run(j)
	}
}

// noisy varies a time by the device's spread, never below half of it.
func (d *device) noisy(t time.Duration) time.Duration {
	if d.spread == 0 {
		return t
	}
	return time.Duration(float64(t) * max(0.5, 1+d.spread*d.rng.NormFloat64()))
}

func (d *device) next() {
	for d.running == nil && !d.frozen && len(d.queue) > 0 {
		j := d.queue[0]
		d.queue = d.queue[1:]
		if j.cancelled {
			continue
		}
		d.running = j
		j.began = d.clock.now
		d.run(j)
	}
}

func (d *device) run(j *job) {
	j.since = d.clock.now
	j.alarm = d.clock.after(j.left, func() { d.finish(j) })
}

func (d *device) finish(j *job) {
	j.alarm, j.left = nil, 0
	if j == d.running {
		d.running = nil
		d.busy += d.clock.now - j.since
	} else {
		d.beside = without(d.beside, j)
	}
	if !j.cancelled {
		j.done(j.began, d.clock.now)
	}
	d.next()
}

// abandon cancels a job; a running one gives its place to the next.
func (d *device) abandon(j *job) {
	j.cancelled = true
	if j == d.running {
		d.clock.cancel(j.alarm)
		d.busy += d.clock.now - j.since
		d.running = nil
		d.next()
	}
}

// freeze halts everything; thaw lets it go on where it was.
func (d *device) freeze() {
	if d.frozen || d.dead {
		return
	}
	d.frozen = true
	for _, j := range d.jobs() {
		d.clock.cancel(j.alarm)
		j.left -= d.clock.now - j.since
	}
	if d.running != nil {
		d.busy += d.clock.now - d.running.since
	}
}

func (d *device) thaw() {
	if !d.frozen {
		return
	}
	d.frozen = false
	for _, j := range d.jobs() {
		d.run(j)
	}
	held := d.held
	d.held = nil
	for _, do := range held {
		d.clock.after(0, do)
	}
	d.next()
}

// kill loses everything that the machine did and had.
func (d *device) kill() {
	for _, j := range d.jobs() {
		d.clock.cancel(j.alarm)
	}
	if d.running != nil && !d.frozen {
		d.busy += d.clock.now - d.running.since
	}
	d.dead, d.frozen = true, false
	d.life++
	d.queue, d.running, d.beside, d.held = nil, nil, nil, nil
}

// jobs are those that run.
func (d *device) jobs() []*job {
	if d.running == nil {
		return d.beside
	}
	return append([]*job{d.running}, d.beside...)
}

func without(jobs []*job, j *job) []*job {
	var out []*job
	for _, k := range jobs {
		if k != j {
			out = append(out, k)
		}
	}
	return out
}
