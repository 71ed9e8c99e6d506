package workload

import (
	"context"
	"math"
	"math/bits"
	"slices"
)

// Sizes up to which division is tried: devices are bits of a word, and the sets it keeps take blocks squared bits per accelerator.
const (
	maxDivisionDevices = 64
	maxDivisionBlocks  = 2048
)

// division searches for a placement with every load at most limit, or proves that there is none. Each block has the devices that it
// may still go to. A minimum cut says how much an accelerator carries at least with what it must hold and without what it cannot
// hold: blocks that would take it above the limit are forbidden it, those without which it would be above are fixed to it. When
// nothing follows any more, the block with the fewest devices left is tried on each of them.
//
// Empty devices of a kind are alike. The first of them stands for all: its bit says whether the block may go to any of them.
type division struct {
	p       *pricer
	l       *loads
	limit   float64
	k, cpus int
	nodes   int // of the search so far
	most    int
	found   []Device
	// holds and lacks are, per accelerator and block, the last set within the limit that held the block, or did not. While it
	// agrees with what is decided, no cut is needed to know that the block may be there, or need not.
	holds, lacks [][]set
}

// domains is the state of one node of the search.
type domains struct {
	may      []uint64 // devices, per block
	acc, cpu int      // devices that are not empty
	dirty    uint64   // devices to look at again
}

// divide returns a placement of blocks with all loads at most limit; nil and true when it is proven that there is none; nil and false
// when it gave up after most nodes or with ctx.
func (p *pricer) divide(ctx context.Context, limit float64, most int) ([]Device, bool) {
	w, n := p.g.w, len(p.g.blocks)
	if w.Accelerators+w.CPUs > maxDivisionDevices || n > maxDivisionBlocks {
		return nil, false
	}
	s := &division{p: p, l: newLoads(p), limit: limit * (1 + flowSlack), k: w.Accelerators, cpus: w.CPUs, most: most}
	for range s.k {
		s.holds, s.lacks = append(s.holds, make([]set, n)), append(s.lacks, make([]set, n))
	}
	d := &domains{may: make([]uint64, n)}
	if s.k > 0 {
		d.dirty |= 1
	}
	if s.cpus > 0 {
		d.dirty |= 1 << s.k
	}
	for b := range d.may {
		d.may[b] = d.dirty
	}
	done := s.search(ctx, d)
	return s.found, done && s.found == nil
}

// flowSlack is the relative error that sums of capacities may have.
const flowSlack = 1e-11

// search reports whether it ended: the node is explored, or a placement found.
func (s *division) search(ctx context.Context, d *domains) bool {
	if s.nodes++; s.nodes > s.most || ctx.Err() != nil {
		return false
	}
	if !s.propagate(ctx, d) {
		return true
	}
	b := s.choose(d)
	if b < 0 {
		s.found = make([]Device, len(d.may))
		for b, m := range d.may {
			s.found[b] = Device(bits.TrailingZeros64(m))
		}
		return true
	}
	for dev := range s.k + s.cpus {
		if d.may[b]>>dev&1 == 0 {
			continue
		}
		c := *d
		c.may = slices.Clone(d.may)
		s.fix(&c, b, dev)
		if !s.search(ctx, &c) {
			return false
		}
		if s.found != nil {
			return true
		}
	}
	return true
}

// fix puts a block on a device. When the device was empty, the next empty one of its kind takes over the bit's meaning.
func (s *division) fix(d *domains, b, dev int) {
	d.dirty |= d.may[b]
	next := false
	switch {
	case dev == d.acc && dev < s.k:
		d.acc++
		next = d.acc < s.k
	case dev == s.k+d.cpu:
		d.cpu++
		next = d.cpu < s.cpus
	}
	if next {
		for o := range d.may {
			d.may[o] |= d.may[o] & (1 << dev) << 1
		}
		d.dirty |= 2 << dev
	}
	d.may[b] = 1 << dev
}

// fixed reports whether m is one device that is not among the empty ones.
func (s *division) fixed(d *domains, m uint64) bool {
	return bits.OnesCount64(m) == 1 && m != s.empty(d)&m
}

// empty are the bits that stand for the empty devices.
func (s *division) empty(d *domains) uint64 {
	var m uint64
	if d.acc < s.k {
		m |= 1 << d.acc
	}
	if d.cpu < s.cpus {
		m |= 1 << (s.k + d.cpu)
	}
	return m
}

// choose picks the undecided block with the fewest devices, among those the largest; -1 when all are decided.
func (s *division) choose(d *domains) int {
	best, few, large := -1, math.MaxInt, 0.0
	for b, m := range d.may {
		if s.fixed(d, m) {
			continue
		}
		n, w := bits.OnesCount64(m), s.p.g.blocks[b].accelerator
		for _, x := range s.p.ofs[b] {
			w += s.p.nets[x].cost
		}
		if n < few || (n == few && w > large) {
			best, few, large = b, n, w
		}
	}
	return best
}

// propagate draws conclusions until there are none; false when some block has no device left.
func (s *division) propagate(ctx context.Context, d *domains) bool {
	for d.dirty != 0 {
		dev := bits.TrailingZeros64(d.dirty)
		d.dirty &^= 1 << dev
		if dev < s.k && !s.onAccelerator(ctx, d, dev) || dev >= s.k && !s.onCPU(d, dev) {
			return false
		}
	}
	return true
}

// forbid takes a device away from a block; false when it was the last one.
func (s *division) forbid(d *domains, b, dev int) bool {
	d.may[b] &^= 1 << dev
	d.dirty |= 1<<dev | d.may[b] // one left may be a decision
	return d.may[b] != 0
}

func (s *division) onCPU(d *domains, dev int) bool {
	load := 0.0
	for b, m := range d.may {
		if m == 1<<dev && s.fixed(d, m) {
			load += s.p.g.blocks[b].cpu
		}
	}
	if load > s.limit {
		return false
	}
	for b, m := range d.may {
		held := m == 1<<dev && s.fixed(d, m)
		if m>>dev&1 == 1 && !held && load+s.p.g.blocks[b].cpu > s.limit && !s.forbid(d, b, dev) {
			return false
		}
	}
	return true
}

func (s *division) onAccelerator(ctx context.Context, d *domains, dev int) bool {
	w, blocks := s.p.g.w, s.p.g.blocks
	in, out, size := newSet(len(blocks)), newSet(len(blocks)), 0.0
	for b, m := range d.may {
		switch {
		case m>>dev&1 == 0:
			out.add(b)
		case m == 1<<dev && s.fixed(d, m):
			in.add(b)
			size += blocks[b].size
		}
	}
	if size > w.Memory {
		return false
	}
	for b := range blocks {
		if !in.has(b) && !out.has(b) && (math.IsInf(blocks[b].accelerator, 1) || size+blocks[b].size > w.Memory) {
			if !s.forbid(d, b, dev) {
				return false
			}
			out.add(b)
		}
	}
	load := s.l.least(in, out)
	if load > s.limit {
		return false
	}
	least := s.l.set()
	agrees := func(x set) bool { return x != nil && in.within(x) && !out.meets(x) }
	for b := range blocks {
		switch {
		case in.has(b) || out.has(b):
		case ctx.Err() != nil:
			return true
		case !least.has(b):
			if agrees(s.holds[dev][b]) {
				continue
			}
			if load+s.l.with(b, s.limit-load) <= s.limit {
				s.holds[dev][b] = s.l.set()
			} else if !s.forbid(d, b, dev) {
				return false
			}
		case dev < d.acc && !agrees(s.lacks[dev][b]):
			if load+s.l.without(b, s.limit-load) <= s.limit {
				s.lacks[dev][b] = s.l.set()
			} else if d.may[b] != 1<<dev {
				d.dirty |= d.may[b]
				d.may[b] = 1 << dev
			}
		}
	}
	return true
}

func (s set) within(o set) bool {
	for k := range s {
		if s[k]&^o[k] != 0 {
			return false
		}
	}
	return true
}
