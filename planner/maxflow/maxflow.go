// Package maxflow finds maximum flows and minimum cuts in networks whose capacities are float64, some of them infinite. A network
// can be saved and put back, so that many cuts that differ in a few arcs start from one common flow.
package maxflow

import "math"

// Network is a network for maximum flow by shortest augmenting levels and blocking flows (Dinic 1970). A residual capacity below
// epsilon times the largest finite capacity counts as none. It is not safe for concurrent use.
type Network struct {
	head []int32 // first arc of each vertex, -1 when none
	next []int32
	to   []int32
	left []float64
	eps  float64
	most float64

	level, at, queue, path []int32
}

const epsilon = 1e-13

// New is a network of the given vertices, numbered from 0, with room for so many arcs.
func New(vertices, arcs int) *Network {
	f := &Network{head: make([]int32, vertices), next: make([]int32, 0, 2*arcs), to: make([]int32, 0, 2*arcs), left: make([]float64, 0, 2*arcs)}
	for v := range f.head {
		f.head[v] = -1
	}
	return f
}

// Vertex adds a vertex and returns its number.
func (f *Network) Vertex() int {
	f.head = append(f.head, -1)
	return len(f.head) - 1
}

// Arc adds an arc of the given capacity, which may be +Inf. An arc without capacity is left out.
func (f *Network) Arc(a, b int, capacity float64) {
	if capacity > 0 {
		f.Edge(a, b, capacity, 0)
	}
}

// Edge adds an arc from a to b and one back, of the given capacities, and returns a number for Raise.
func (f *Network) Edge(a, b int, there, back float64) int {
	f.push(a, b, there)
	f.push(b, a, back)
	return len(f.to) - 2
}

func (f *Network) push(a, b int, capacity float64) {
	if !math.IsInf(capacity, 1) {
		f.most = max(f.most, capacity)
	}
	f.to = append(f.to, int32(b))
	f.left = append(f.left, capacity)
	f.next = append(f.next, f.head[a])
	f.head[a] = int32(len(f.to) - 1)
}

// Once charges cost when maker is on the source side of the cut and at least one reader is not.
func (f *Network) Once(maker int, readers []int, cost float64) {
	if len(readers) == 0 || cost <= 0 {
		return
	}
	u := f.Vertex()
	f.Arc(maker, u, cost)
	for _, r := range readers {
		f.Arc(u, r, math.Inf(1))
	}
}

// Raise adds to the residual capacity of an edge's arc from a to b.
func (f *Network) Raise(edge int, by float64) { f.left[edge] += by }

// Save appends the residual capacities to dst.
func (f *Network) Save(dst []float64) []float64 { return append(dst, f.left...) }

// Restore takes the residual capacities from what Save returned for a nil or empty dst.
func (f *Network) Restore(src []float64) { copy(f.left, src) }

// Run pushes flow from s to t until no more fits and returns how much it pushed, +Inf when that has no bound.
func (f *Network) Run(s, t int) float64 { return f.RunTo(s, t, math.Inf(1)) }

// RunTo is Run, but stops when it has pushed more than enough.
func (f *Network) RunTo(s, t int, enough float64) float64 {
	f.eps = epsilon * f.most
	if len(f.level) != len(f.head) {
		f.level, f.at = make([]int32, len(f.head)), make([]int32, len(f.head))
	}
	total := 0.0
	for total <= enough && f.levels(s, t) {
		copy(f.at, f.head)
		for total <= enough {
			d := f.augment(s, t)
			if d <= f.eps {
				break
			}
			if total += d; math.IsInf(total, 1) {
				return total
			}
		}
	}
	return total
}

// levels labels every vertex with its distance from s in the residual network and reports whether t has one.
func (f *Network) levels(s, t int) bool {
	for v := range f.level {
		f.level[v] = -1
	}
	f.level[s] = 0
	f.queue = append(f.queue[:0], int32(s))
	for k := 0; k < len(f.queue); k++ {
		v := f.queue[k]
		for a := f.head[v]; a >= 0; a = f.next[a] {
			if w := f.to[a]; f.left[a] > f.eps && f.level[w] < 0 {
				f.level[w] = f.level[v] + 1
				f.queue = append(f.queue, w)
			}
		}
	}
	return f.level[t] >= 0
}

// augment finds one path of the level graph, without recursion, and pushes what it takes.
func (f *Network) augment(s, t int) float64 {
	path := f.path[:0]
	v := int32(s)
	for v != int32(t) {
		a := f.at[v]
		for a >= 0 && (f.left[a] <= f.eps || f.level[f.to[a]] != f.level[v]+1) {
			a = f.next[a]
		}
		f.at[v] = a
		if a >= 0 {
			path = append(path, a)
			v = f.to[a]
			continue
		}
		if len(path) == 0 {
			return 0
		}
		last := path[len(path)-1]
		path = path[:len(path)-1]
		v = f.to[last^1]
		f.at[v] = f.next[last]
	}
	f.path = path
	d := math.Inf(1)
	for _, a := range path {
		d = min(d, f.left[a])
	}
	for _, a := range path {
		f.left[a] -= d
		f.left[a^1] += d
	}
	return d
}

// Side reports, after Run, whether vertex v is on s's side of the minimum cut with the smallest source side.
func (f *Network) Side(v int) bool { return f.level[v] >= 0 }
