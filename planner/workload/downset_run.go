package workload

import (
	"math"
)

// downsetRun is one run of the dynamic program below one threshold.
type downsetRun struct {
	d     *downsetDP
	l     *lattice
	limit float64
	// value is, per downset and devices used, the least largest load; back the downset before, and whether a CPU took the step.
	value []float64
	back  []int32
	onCPU []bool
	rest  []float64 // accelerator time of what is outside a downset and may run there
	ratio float64   // most accelerator time that a CPU saves per CPU time
	// Of the set between the current downset and another: the stamp says that it was reached.
	stamp                    []int32
	acc, cpu, size, in, outs []float64
	stack                    []int32
}

func (r *downsetRun) prepare() {
	n := r.l.size()
	r.value = make([]float64, n*r.d.states)
	r.back = make([]int32, len(r.value))
	r.onCPU = make([]bool, len(r.value))
	for k := range r.value {
		r.value[k] = math.Inf(1)
	}
	r.value[0] = 0
	r.rest = make([]float64, n)
	total := 0.0
	for b := range r.d.g.blocks {
		x := &r.d.g.blocks[b]
		if math.IsInf(x.accelerator, 1) {
			continue
		}
		total += x.accelerator
		if x.accelerator > 0 {
			r.ratio = max(r.ratio, x.accelerator/x.cpu)
		}
	}
	for k := range n {
		r.rest[k] = total
		r.l.at(k).each(func(b int) {
			if t := r.d.g.blocks[b].accelerator; !math.IsInf(t, 1) {
				r.rest[k] -= t
			}
		})
	}
	r.stamp = make([]int32, n)
	for k := range r.stamp {
		r.stamp[k] = -1
	}
	for _, s := range []*[]float64{&r.acc, &r.cpu, &r.size, &r.in, &r.outs} {
		*s = make([]float64, n)
	}
}

// useful reports whether a state can still end below the threshold: what is left must fit on the devices that are left.
func (r *downsetRun) useful(j int32, a, c int) bool {
	left := r.rest[j]
	if spare := r.d.l - c; spare > 0 {
		left -= float64(spare) * r.limit * r.ratio
	}
	return left <= float64(r.d.k-a)*r.limit*(1+proofSlack) || math.IsInf(r.limit, 1)
}

// from extends downset i by every set that one device can take.
func (r *downsetRun) from(i int32) {
	d := r.d
	base := int(i) * d.states
	any := false
	for s := range d.states {
		any = any || r.value[base+s] < r.limit
	}
	if !any {
		return
	}
	r.stamp[i] = i
	r.acc[i], r.cpu[i], r.size[i], r.in[i], r.outs[i] = 0, 0, 0, 0, 0
	r.stack = append(r.stack[:0], i)
	for len(r.stack) > 0 {
		j := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		for _, s := range r.l.steps[j] {
			if r.stamp[s.to] == i {
				continue
			}
			r.stamp[s.to] = i
			r.grow(i, j, s)
			fitsAcc := d.k > 0 && r.acc[s.to]+r.in[s.to] < r.limit && r.size[s.to] <= d.g.w.Memory
			fitsCPU := d.l > 0 && r.cpu[s.to] < r.limit
			if !fitsAcc && !fitsCPU {
				continue
			}
			r.relax(i, s.to, fitsAcc, fitsCPU)
			r.stack = append(r.stack, s.to)
		}
	}
}

// grow works out the set from i to s.to from the one from i to j.
func (r *downsetRun) grow(i, j int32, s step) {
	g, x := r.d.g, &r.d.g.blocks[s.block]
	base, to := r.l.at(int(i)), r.l.at(int(s.to))
	before := r.l.at(int(j))
	in, out := r.in[j], r.outs[j]
	for _, u := range x.hears {
		from := g.of[u]
		w := &g.blocks[from].sends[r.d.senders[u]]
		if base.has(from) {
			heard := false
			for _, t := range w.to {
				heard = heard || (before.has(t) && !base.has(t))
			}
			if !heard {
				in += w.cost
			}
			continue
		}
		done := true
		for _, t := range w.to {
			done = done && to.has(t)
		}
		if done {
			out -= w.cost
		}
	}
	for k := range x.sends {
		out += x.sends[k].cost
	}
	r.acc[s.to], r.cpu[s.to], r.size[s.to] = r.acc[j]+x.accelerator, r.cpu[j]+x.cpu, r.size[j]+x.size
	r.in[s.to], r.outs[s.to] = in, out
}

// relax offers the set from i to j to one more accelerator or CPU.
func (r *downsetRun) relax(i, j int32, fitsAcc, fitsCPU bool) {
	d := r.d
	load := r.acc[j] + r.in[j] + r.outs[j]
	fitsAcc = fitsAcc && load < r.limit
	for a := range d.k + 1 {
		for c := range d.l + 1 {
			v := r.value[int(i)*d.states+a*(d.l+1)+c]
			if v >= r.limit {
				continue
			}
			if fitsAcc && a < d.k && r.useful(j, a+1, c) {
				r.offer(i, j, (a+1)*(d.l+1)+c, max(v, load), false)
			}
			if fitsCPU && c < d.l && r.useful(j, a, c+1) {
				r.offer(i, j, a*(d.l+1)+c+1, max(v, r.cpu[j]), true)
			}
		}
	}
}

func (r *downsetRun) offer(i, j int32, state int, v float64, cpu bool) {
	k := int(j)*r.d.states + state
	if v < r.value[k] {
		r.value[k], r.back[k], r.onCPU[k] = v, i, cpu
	}
}

// outcome reads the best chain back, or is nil when there is none below the threshold.
func (r *downsetRun) outcome() *outcome {
	d, last := r.d, r.l.last()
	best, state := math.Inf(1), -1
	for s := range d.states {
		if v := r.value[last*d.states+s]; v < best {
			best, state = v, s
		}
	}
	if state < 0 {
		return nil
	}
	o := &outcome{load: best, device: make([]Device, len(d.g.blocks))}
	at := int32(last)
	for at != 0 {
		k := int(at)*d.states + state
		from := r.back[k]
		a, c := state/(d.l+1), state%(d.l+1)
		device := Device(a - 1)
		if r.onCPU[k] {
			device = Device(d.k + c - 1)
			c--
		} else {
			a--
		}
		state = a*(d.l+1) + c
		base := r.l.at(int(from))
		r.l.at(int(at)).each(func(b int) {
			if !base.has(b) {
				o.device[b] = device
			}
		})
		at = from
	}
	return o
}
