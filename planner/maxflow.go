package planner

// flow is a network for maximum flow by shortest augmenting levels and blocking flows (Dinic 1970). Capacities are float64;
// a residual below flowEpsilon times the largest finite capacity counts as none.
type flow struct {
	head []int32 // first arc of each vertex, -1 when none
	next []int32
	to   []int32
	left []float64
	eps  float64
	most float64

	level, at, queue []int32
}

const flowEpsilon = 1e-13

func newFlow(vertices, arcs int) *flow {
	f := &flow{head: make([]int32, vertices), next: make([]int32, 0, 2*arcs), to: make([]int32, 0, 2*arcs), left: make([]float64, 0, 2*arcs)}
	for v := range f.head {
		f.head[v] = -1
	}
	return f
}

// vertex adds a vertex.
func (f *flow) vertex() int {
	f.head = append(f.head, -1)
	return len(f.head) - 1
}

// arc adds an arc of the given capacity, which may be +Inf.
func (f *flow) arc(a, b int, capacity float64) {
	if capacity <= 0 {
		return
	}
	if capacity < inf {
		f.most = max(f.most, capacity)
	}
	f.push(a, b, capacity)
	f.push(b, a, 0)
}

func (f *flow) push(a, b int, capacity float64) {
	f.to = append(f.to, int32(b))
	f.left = append(f.left, capacity)
	f.next = append(f.next, f.head[a])
	f.head[a] = int32(len(f.to) - 1)
}

// run pushes flow from s to t until no more fits and returns its value, +Inf when it has no bound.
func (f *flow) run(s, t int) float64 {
	f.eps = flowEpsilon * f.most
	f.level, f.at = make([]int32, len(f.head)), make([]int32, len(f.head))
	total := 0.0
	for f.levels(s, t) {
		copy(f.at, f.head)
		for {
			d := f.augment(s, t)
			if d <= f.eps {
				break
			}
			if total += d; total == inf {
				return inf
			}
		}
	}
	return total
}

// levels labels every vertex with its distance from s in the residual network and reports whether t has one.
func (f *flow) levels(s, t int) bool {
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
func (f *flow) augment(s, t int) float64 {
	var path []int32
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
	d := inf
	for _, a := range path {
		d = min(d, f.left[a])
	}
	for _, a := range path {
		f.left[a] -= d
		f.left[a^1] += d
	}
	return d
}

// side reports, after run, which vertices are on s's side of the minimum cut with the smallest source side.
func (f *flow) side() []bool {
	out := make([]bool, len(f.level))
	for v := range out {
		out[v] = f.level[v] >= 0
	}
	return out
}
