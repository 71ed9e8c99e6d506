package workload

import (
	"context"
	"math"
	"slices"
)

// callSearch is exact search for latency. Every placement whose calls are convex and do not wait for each other in a circle is a
// chain of downsets in which a step is a whole call, or one block on a CPU. Labels at a downset say when each value that is still
// needed is ready; one that is nowhere later and has used no more accelerators replaces another. Labels whose bound reaches the
// incumbent are dropped; the bound comes from the segments of a long path.
type callSearch struct {
	g      *graph
	l      *lattice
	best   float64
	labels [][]*callLabel // per downset
	live   [][]int        // ops of a downset that are read outside it
	tails  []float64      // per block: least time from its start to the end
	path   []int
	onPath []int // position of each block on the path, -1 when off it
	after  [][]float64
	count  int
	most   int
	run    *downsetRun
}

// callLabel is one way to have done a downset.
type callLabel struct {
	ready []float64 // of each live op, then the end so far
	used  int
	from  *callLabel
	at    int32 // downset
	cpu   bool
	gone  bool
}

// exactCalls improves a's placement to the optimum when it can within most labels, and reports whether it did.
func (g *graph) exactCalls(ctx context.Context, l *lattice, a *Answer, path []int, r *reach, most int) bool {
	s := &callSearch{g: g, l: l, best: a.Objective, path: path, most: most}
	s.prepare(r)
	s.labels[0] = []*callLabel{{ready: make([]float64, len(s.live[0])+1)}}
	for i := range int32(l.size()) {
		if ctx.Err() != nil || s.count > s.most {
			return false
		}
		if i < int32(l.last()) {
			s.extend(i)
			if len(s.labels[i]) > 0 && i > 0 {
				s.labels[i] = nil
			}
		}
	}
	for _, c := range s.labels[l.last()] {
		if t := c.ready[len(c.ready)-1]; !c.gone && t < a.Objective {
			if place := s.trace(c); g.w.Fits(place) == nil {
				a.Objective, a.Place = t, place
			}
		}
	}
	a.States = max(a.States, s.count)
	return true
}

func (s *callSearch) prepare(r *reach) {
	g, n := s.g, s.l.size()
	s.labels, s.live = make([][]*callLabel, n), make([][]int, n)
	for i := range n {
		d := s.l.at(i)
		d.each(func(b int) {
			for _, x := range g.blocks[b].sends {
				if slices.ContainsFunc(x.to, func(t int) bool { return !d.has(t) }) {
					s.live[i] = append(s.live[i], x.op)
				}
			}
		})
		slices.Sort(s.live[i])
	}
	s.tails = make([]float64, len(g.blocks))
	for b := len(g.blocks) - 1; b >= 0; b-- {
		s.tails[b] = g.quickest(b)
		most := 0.0
		for _, c := range g.blocks[b].succs {
			most = max(most, s.tails[c])
		}
		s.tails[b] += most
	}
	s.onPath = make([]int, len(g.blocks))
	for b := range s.onPath {
		s.onPath[b] = -1
	}
	for k, b := range s.path {
		s.onPath[b] = k
	}
	s.after = g.segments(s.path, r)
	s.run = &downsetRun{d: newDownsetDP(g), l: s.l, limit: math.Inf(1)}
	s.run.d.states = 1
	s.run.prepare()
}

// quickest is the least time of a block that may be one among others in a call, or ops on CPUs side by side.
func (g *graph) quickest(b int) float64 {
	x := &g.blocks[b]
	if g.w.CPUs == 0 {
		return x.accelerator
	}
	if len(x.ops) == 1 {
		return least(x)
	}
	return 0
}

// extend makes every step from downset i.
func (s *callSearch) extend(i int32) {
	g, r := s.g, s.run
	if g.w.CPUs > 0 {
		for _, t := range s.l.steps[i] {
			for _, c := range s.labels[i] {
				if !c.gone {
					s.onCPU(i, c, t)
				}
			}
		}
	}
	heard := map[int32][]int{i: nil}
	r.stamp[i] = i
	r.acc[i], r.cpu[i], r.size[i], r.in[i], r.outs[i] = 0, 0, 0, 0, 0
	r.stack = append(r.stack[:0], i)
	for len(r.stack) > 0 {
		j := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		for _, t := range s.l.steps[j] {
			if r.stamp[t.to] == i {
				continue
			}
			r.stamp[t.to] = i
			r.grow(i, j, t)
			if r.size[t.to] > g.w.Memory || math.IsInf(r.acc[t.to], 1) || r.acc[t.to]+r.in[t.to] >= s.best {
				continue
			}
			h := slices.Clone(heard[j])
			for _, u := range g.blocks[t.block].hears {
				if k, ok := slices.BinarySearch(s.live[i], u); ok && !slices.Contains(h, k) {
					h = append(h, k)
				}
			}
			heard[t.to] = h
			seconds := r.acc[t.to] + r.in[t.to] + r.outs[t.to]
			for _, c := range s.labels[i] {
				if !c.gone && c.used < g.w.Accelerators {
					s.called(i, c, t.to, h, seconds)
				}
			}
			r.stack = append(r.stack, t.to)
		}
	}
}

// called offers the label that c becomes when one call takes the set from i to j.
func (s *callSearch) called(i int32, c *callLabel, j int32, heard []int, seconds float64) {
	start := 0.0
	for _, k := range heard {
		start = max(start, c.ready[k])
	}
	finish := start + seconds
	n := &callLabel{ready: make([]float64, len(s.live[j])+1), used: c.used + 1, from: c, at: j}
	for k, u := range s.live[j] {
		n.ready[k] = finish
		if m, ok := slices.BinarySearch(s.live[i], u); ok {
			n.ready[k] = c.ready[m]
		}
	}
	n.ready[len(n.ready)-1] = max(c.ready[len(c.ready)-1], finish)
	s.offer(j, n)
}

// onCPU offers the label that c becomes when one block runs on CPUs, its ops side by side as far as they can.
func (s *callSearch) onCPU(i int32, c *callLabel, t step) {
	done := map[int]float64{}
	end := c.ready[len(c.ready)-1]
	for _, k := range s.g.blocks[t.block].ops {
		at := 0.0
		for _, p := range s.g.w.Ops[k].Preds {
			if m, ok := slices.BinarySearch(s.live[i], p); ok {
				at = max(at, c.ready[m])
			} else {
				at = max(at, done[p])
			}
		}
		done[k] = at + s.g.w.Ops[k].CPU
		end = max(end, done[k])
	}
	n := &callLabel{ready: make([]float64, len(s.live[t.to])+1), used: c.used, from: c, at: t.to, cpu: true}
	for k, u := range s.live[t.to] {
		if m, ok := slices.BinarySearch(s.live[i], u); ok {
			n.ready[k] = c.ready[m]
		} else {
			n.ready[k] = done[u]
		}
	}
	n.ready[len(n.ready)-1] = end
	s.offer(t.to, n)
}

// offer keeps a label unless its bound reaches the incumbent or another label covers it.
func (s *callSearch) offer(j int32, n *callLabel) {
	if s.bound(j, n) >= s.best*(1-1e-12) {
		return
	}
	list := s.labels[j]
	for _, o := range list {
		if o.used <= n.used && coversAll(o.ready, n.ready) {
			return
		}
	}
	kept := list[:0]
	for _, o := range list {
		if n.used <= o.used && coversAll(n.ready, o.ready) {
			o.gone = true
			continue
		}
		kept = append(kept, o)
	}
	s.labels[j] = append(kept, n)
	s.count++
}

func coversAll(a, b []float64) bool {
	for k := range a {
		if a[k] > b[k] {
			return false
		}
	}
	return true
}

// bound is a lower bound on the latency of what the label can become.
func (s *callSearch) bound(j int32, n *callLabel) float64 {
	g, d := s.g, s.l.at(int(j))
	bound := n.ready[len(n.ready)-1]
	for k, u := range s.live[j] {
		b := g.of[u]
		w := &g.blocks[b].sends[s.run.d.senders[u]]
		for _, t := range w.to {
			if d.has(t) {
				continue
			}
			bound = max(bound, n.ready[k]+s.tails[t])
			if p := s.onPath[t]; p > 0 && s.path[p-1] == b {
				bound = max(bound, n.ready[k]+s.after[p][g.w.Accelerators-n.used])
			}
		}
	}
	return bound
}

// trace is the placement of a label.
func (s *callSearch) trace(c *callLabel) []Device {
	device := make([]Device, len(s.g.blocks))
	for ; c.from != nil; c = c.from {
		base := s.l.at(int(c.from.at))
		s.l.at(int(c.at)).each(func(b int) {
			if base.has(b) {
				return
			}
			device[b] = Device(c.used - 1)
			if c.cpu {
				device[b] = Device(s.g.w.Accelerators)
			}
		})
	}
	return s.g.placeOf(device)
}
