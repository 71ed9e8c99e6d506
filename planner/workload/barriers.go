package workload

import (
	"context"
	"math"
)

// barriers is dynamic programming over the downsets of l in which the whole model waits at every border: an accelerator takes the
// set between two downsets as one call, or one block runs on a CPU. It returns the best placement per number of accelerators.
func (g *graph) barriers(ctx context.Context, l *lattice) [][]Device {
	k := g.w.Accelerators
	r := &downsetRun{d: newDownsetDP(g), l: l, limit: math.Inf(1)}
	r.d.k, r.d.l, r.d.states = k, 0, k+1
	r.prepare()
	cpu := g.w.CPUs > 0
	for i := range int32(l.size()) {
		if i&0x3f == 0 && ctx.Err() != nil {
			return nil
		}
		r.barrier(i, cpu)
	}
	var out [][]Device
	for used := range k + 1 {
		if !math.IsInf(r.value[l.last()*(k+1)+used], 1) {
			out = append(out, r.trace(used))
		}
	}
	return out
}

// barrier extends downset i by one call, or by one block on a CPU.
func (r *downsetRun) barrier(i int32, cpu bool) {
	g, n := r.d.g, r.d.states
	base := int(i) * n
	if cpu {
		for _, s := range r.l.steps[i] {
			for used := range n {
				r.offer(i, s.to, used, r.value[base+used]+g.blocks[s.block].cpu, true)
			}
		}
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
			if r.size[s.to] > g.w.Memory || math.IsInf(r.acc[s.to], 1) {
				continue
			}
			seconds := r.acc[s.to] + r.in[s.to] + r.outs[s.to]
			for used := range n - 1 {
				if v := r.value[base+used]; !math.IsInf(v, 1) {
					r.offer(i, s.to, used+1, v+seconds, false)
				}
			}
			r.stack = append(r.stack, s.to)
		}
	}
}

// trace reads back the placement that ends with the given number of accelerators used.
func (r *downsetRun) trace(used int) []Device {
	g, n := r.d.g, r.d.states
	device := make([]Device, len(g.blocks))
	for at := int32(r.l.last()); at != 0; {
		k := int(at)*n + used
		from := r.back[k]
		d := Device(used - 1)
		if r.onCPU[k] {
			d = Device(g.w.Accelerators)
		} else {
			used--
		}
		base := r.l.at(int(from))
		r.l.at(int(at)).each(func(b int) {
			if !base.has(b) {
				device[b] = d
			}
		})
		at = from
	}
	return g.placeOf(device)
}

// placeOf is the placement of ops that a placement of blocks means.
func (g *graph) placeOf(device []Device) []Device {
	place := make([]Device, len(g.w.Ops))
	for op, b := range g.of {
		place[op] = device[b]
	}
	return place
}

// polish moves single blocks to the device of a neighbour or to a CPU while the latency falls and ctx lasts.
func (g *graph) polish(ctx context.Context, a *Answer) {
	place := append([]Device(nil), a.Place...)
	for again := true; again && ctx.Err() == nil; {
		again = false
		for b := range g.blocks {
			was := place[g.blocks[b].ops[0]]
			var to []Device
			for _, list := range [][]int{g.blocks[b].preds, g.blocks[b].succs} {
				for _, x := range list {
					to = append(to, place[g.blocks[x].ops[0]])
				}
			}
			if g.w.CPUs > 0 {
				to = append(to, Device(g.w.Accelerators))
			}
			for _, d := range to {
				if d == place[g.blocks[b].ops[0]] {
					continue
				}
				g.move(place, b, d)
				if t, ok := g.w.Finish(place); ok && t < a.Objective*(1-proofSlack) && g.w.Fits(place) == nil {
					a.Objective, again = t, true
					copy(a.Place, place)
					was = d
					continue
				}
				g.move(place, b, was)
			}
		}
	}
}

func (g *graph) move(place []Device, b int, d Device) {
	for _, k := range g.blocks[b].ops {
		place[k] = d
	}
}
