package native

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// plan gives every planned slot its place in the arena, by liveness: two slots whose lifetimes do not meet may share
// bytes. Slots are placed largest first, each at the lowest offset that is free during its whole life (the greedy-by-size
// scheme of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020).
func (c *compiler) plan() {
	p := c.p
	n := len(p.steps)
	touch := func(i, at int) {
		s := &p.slots[p.slots[i].root]
		if s.first < 0 {
			s.first, s.last = at, at
		}
		s.first, s.last = min(s.first, at), max(s.last, at)
	}
	for k, io := range p.io {
		for _, list := range [][]int{io.reads, io.writes} {
			for _, i := range list {
				if i >= 0 {
					touch(i, k)
				}
			}
		}
	}
	for _, id := range p.g.Outputs {
		touch(int(id), n)
	}
	// Where an output may share memory with an input, the input lives as long as the output.
	for k := n - 1; k >= 0; k-- {
		if !p.io[k].shares {
			continue
		}
		end := k
		for _, i := range p.io[k].writes {
			if i >= 0 {
				end = max(end, p.slots[p.slots[i].root].last)
			}
		}
		for _, i := range p.io[k].reads {
			if i >= 0 {
				touch(i, end)
			}
		}
	}
	p.slots = slices.Clip(p.slots)
	var order []int
	for i := range p.slots {
		if s := &p.slots[i]; s.planned && s.root == i && s.first >= 0 {
			order = append(order, i)
		} else if s.root == i {
			s.planned = false
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return p.slots[b].bytes - p.slots[a].bytes })
	var placed []int
	for _, i := range order {
		s := &p.slots[i]
		at := 0
		for _, j := range placed { // ascending by offset
			o := &p.slots[j]
			if o.last < s.first || s.last < o.first {
				continue
			}
			if at+s.bytes <= o.off {
				break
			}
			at = max(at, align(o.off+o.bytes))
		}
		s.off = at
		k, _ := slices.BinarySearchFunc(placed, at, func(j, off int) int { return p.slots[j].off - off })
		placed = slices.Insert(placed, k, i)
		p.arenaSize = max(p.arenaSize, at+s.bytes)
	}
}

func align(n int) int { return (n + tensor.Align - 1) &^ (tensor.Align - 1) }

// allocate makes the arena and the tensors that lie in it, before the first run.
func (p *program) allocate() error {
	p.arena = tensor.AlignedBytes(p.arenaSize)
	for i := range p.slots {
		s := &p.slots[i]
		r := &p.slots[s.root]
		if !r.planned {
			continue
		}
		s.planned = true
		s.off = r.off + s.at
		t, err := tensor.FromBytes(s.dtype, s.shape, p.arena[s.off:s.off+s.bytes:s.off+s.bytes])
		if err != nil {
			return err
		}
		s.home = t
		p.set(i, t)
	}
	return nil
}
