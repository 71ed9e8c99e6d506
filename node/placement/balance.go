package placement

import (
	"cmp"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/planner"
)

// balance divides one unit of work among machines so that the last one ends as soon as possible, and says when that is: those that take
// part all end at once,
//
//	fixed[n] + each[n]·share[n] = T    and    sum of shares = 1,
//
// so T = (1 + sum fixed/each) / (sum 1/each) over the machines whose fixed time is below T. This is the optimality principle of
// divisible load theory (Bharadwaj, Ghose, Mani, Robertazzi 1996), as CoEdge uses it for uneven tiles.
func balance(loads []load) (shares []float64, took float64) {
	order := make([]int, 0, len(loads))
	for n, l := range loads {
		if !math.IsInf(l.fixed+l.each, 1) {
			order = append(order, n)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(loads[a].fixed, loads[b].fixed) })
	shares = make([]float64, len(loads))
	took = math.Inf(1)
	rate, head := 0.0, 1.0
	used := 0
	for _, n := range order {
		if loads[n].fixed >= took {
			break
		}
		if loads[n].each == 0 { // a machine that takes no time for more takes all
			clear(shares)
			shares[n] = 1
			return shares, loads[n].fixed
		}
		rate += 1 / loads[n].each
		head += loads[n].fixed / loads[n].each
		took = head / rate
		used++
	}
	for _, n := range order[:used] {
		shares[n] = (took - loads[n].fixed) / loads[n].each
	}
	return shares, took
}

// round turns shares into sizes that are multiples of step and add up to size, each part's node beside it; parts that get nothing are
// left out.
func round(shares []float64, size, step int) (parts []int, nodes []planner.NodeID) {
	steps, at, done := size/step, 0.0, 0
	last := -1
	for n, f := range shares {
		if f == 0 {
			continue
		}
		at += f
		upTo := min(int(math.Round(at*float64(steps))), steps)
		if upTo > done {
			parts, nodes = append(parts, (upTo-done)*step), append(nodes, planner.NodeID(n))
			done, last = upTo, len(parts)-1
		}
	}
	if last >= 0 {
		parts[last] += size - done*step
	}
	return parts, nodes
}
