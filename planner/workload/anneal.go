package workload

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

// annealer moves blocks between devices by simulated annealing and keeps the best placement that fits. Its energy is a power mean of
// the loads, which leans towards the largest one but rewards progress on the others.
type annealer struct {
	p       *pricer
	devices int
	place   []Device
	load    []float64
	size    []float64
	inside  [][]int16 // per net, blocks on each device
	r       *rand.Rand
	best    float64
	kept    []Device
}

// power is the exponent of the mean.
const power = 16

func newAnnealer(p *pricer, place []Device, seed uint64) *annealer {
	a := &annealer{p: p, devices: p.g.w.Accelerators + p.g.w.CPUs, place: slices.Clone(place), r: rand.New(rand.NewPCG(seed, 7))}
	a.inside = make([][]int16, len(p.nets))
	for k, x := range p.nets {
		a.inside[k] = make([]int16, a.devices)
		for _, b := range x.blocks {
			a.inside[k][a.place[b]]++
		}
	}
	a.recount()
	a.best, a.kept = a.largest(), slices.Clone(a.place)
	return a
}

// recount works the loads out anew, which also sweeps away rounding.
func (a *annealer) recount() {
	a.load, a.size = make([]float64, a.devices), make([]float64, a.devices)
	for b, d := range a.place {
		x := &a.p.g.blocks[b]
		a.size[d] += x.size
		a.load[d] += a.time(x, d)
	}
	for k, x := range a.p.nets {
		for d := range a.p.g.w.Accelerators {
			if n := int(a.inside[k][d]); n > 0 && n < len(x.blocks) {
				a.load[d] += x.cost
			}
		}
	}
}

func (a *annealer) time(x *block, d Device) float64 {
	if a.p.g.w.IsCPU(d) {
		return x.cpu
	}
	return x.accelerator
}

func (a *annealer) largest() float64 { return slices.Max(a.load) }

// move takes block b to device e.
func (a *annealer) move(b int, e Device) {
	d := a.place[b]
	x, w := &a.p.g.blocks[b], a.p.g.w
	a.load[d] -= a.time(x, d)
	a.load[e] += a.time(x, e)
	a.size[d] -= x.size
	a.size[e] += x.size
	for _, k := range a.p.ofs[b] {
		n, all := a.inside[k], int16(len(a.p.nets[k].blocks))
		if !w.IsCPU(d) {
			if n[d] == all {
				a.load[d] += a.p.nets[k].cost
			}
			if n[d] == 1 {
				a.load[d] -= a.p.nets[k].cost
			}
		}
		if !w.IsCPU(e) {
			if n[e] == 0 {
				a.load[e] += a.p.nets[k].cost
			}
			if n[e] == all-1 {
				a.load[e] -= a.p.nets[k].cost
			}
		}
		n[d]--
		n[e]++
	}
	a.place[b] = e
}

func (a *annealer) allowed(b int, e Device) bool {
	x := &a.p.g.blocks[b]
	return a.p.g.w.IsCPU(e) || (!math.IsInf(x.accelerator, 1) && a.size[e]+x.size <= a.p.g.w.Memory)
}

// energy is the power mean of the loads, relative to scale.
func (a *annealer) energy(scale float64) float64 {
	sum := 0.0
	for _, l := range a.load {
		sum += math.Pow(l/scale, power)
	}
	return math.Pow(sum, 1.0/power)
}

// run anneals for the given number of moves, from hot to cold.
func (a *annealer) run(ctx context.Context, moves int) {
	scale := a.best
	now := a.energy(scale)
	var group, from []int
	for k := range moves {
		if k&0xfff == 0 {
			if ctx.Err() != nil {
				return
			}
			a.recount()
			now = a.energy(scale)
		}
		heat := 0.08 * math.Pow(1e-3, float64(k)/float64(moves))
		group = a.choose(group[:0])
		e := a.target(group)
		from = from[:0]
		ok := true
		for _, b := range group {
			from = append(from, int(a.place[b]))
			if a.place[b] == e {
				continue
			}
			if ok = a.allowed(b, e); !ok {
				break
			}
			a.move(b, e)
		}
		next := a.energy(scale)
		if !ok || (next > now && a.r.Float64() >= math.Exp((now-next)/heat)) {
			for j := len(from) - 1; j >= 0; j-- {
				if d := Device(from[j]); a.place[group[j]] != d {
					a.move(group[j], d)
				}
			}
			continue
		}
		now = next
		if l := a.largest(); l < a.best*(1-1e-12) {
			a.best, a.kept = l, slices.Clone(a.place)
		}
	}
}

// choose picks a connected group of blocks of one device, often a single one.
func (a *annealer) choose(group []int) []int {
	b := a.r.IntN(len(a.place))
	group = append(group, b)
	size := 1
	if a.r.IntN(2) == 0 {
		size += a.r.IntN(12)
	}
	for k := 0; k < len(group) && len(group) < size; k++ {
		for _, x := range a.p.ofs[group[k]] {
			for _, o := range a.p.nets[x].blocks {
				if len(group) < size && a.place[o] == a.place[b] && !slices.Contains(group, o) {
					group = append(group, o)
				}
			}
		}
	}
	return group
}

// target is a device to move the group to: a neighbour's more often than any other.
func (a *annealer) target(group []int) Device {
	if a.r.IntN(3) > 0 {
		b := group[a.r.IntN(len(group))]
		if nets := a.p.ofs[b]; len(nets) > 0 {
			x := a.p.nets[nets[a.r.IntN(len(nets))]]
			return a.place[x.blocks[a.r.IntN(len(x.blocks))]]
		}
	}
	return Device(a.r.IntN(a.devices))
}
