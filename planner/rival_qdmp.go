package planner

import "github.com/cleave-mesh/cleave/planner/maxflow"

// qdmp finds the cut vertices of the model, where one value holds all that crosses, and looks for the minimum cut only inside each
// block between two of them: what comes before the block runs on the device, what comes after on the cloud. Its lemma: a one-way
// cut of least sum lies inside one block.
func qdmp(in *instance) []NodeID {
	place, _ := in.qdmpCut()
	return place
}

func (in *instance) qdmpCut() ([]NodeID, float64) {
	device, cloud := in.p.Source, cloudOnly(in)
	before := make([]float64, in.pieces+1)
	after := make([]float64, in.pieces+1)
	for i := range in.pieces {
		before[i+1] = before[i] + in.cost(i, device)
	}
	for i := in.pieces - 1; i >= 0; i-- {
		after[i] = after[i+1] + in.cost(i, cloud)
	}
	borders := in.borders()
	best, place := inf, []NodeID(nil)
	for k := 0; k+1 < len(borders); k++ {
		lo, hi := borders[k], borders[k+1]
		inner, sum := in.cutRange(lo, hi, device, cloud)
		if t := before[lo] + sum + after[hi]; t < best {
			best = t
			place = prefix(in.pieces, lo, device, cloud)
			copy(place[lo:hi], inner)
		}
	}
	if in.pieces == 0 {
		return []NodeID{}, 0
	}
	return place, best
}

// borders are 0, every position at which just one value that was made by a piece is alive, and the end.
func (in *instance) borders() []int {
	l := newLine(in)
	out := []int{0}
	for i := 1; i < in.pieces; i++ {
		if len(l.crossing[i]) == 1 && in.p.Values[l.crossing[i][0]].Producer != External {
			out = append(out, i)
		}
	}
	if in.pieces > 0 {
		out = append(out, in.pieces)
	}
	return out
}

// cutRange is the least one-way cut in which pieces before lo are on a and those from hi on are on b; the sum leaves out those
// pieces' own times.
func (in *instance) cutRange(lo, hi int, a, b NodeID) ([]NodeID, float64) {
	s, t := hi-lo, hi-lo+1
	vertex := func(i PieceID) int {
		switch {
		case int(i) < lo:
			return s
		case int(i) >= hi:
			return t
		}
		return int(i) - lo
	}
	f := maxflow.New(hi-lo+2, 6*(hi-lo))
	for i := lo; i < hi; i++ {
		f.Arc(s, i-lo, in.cost(i, b))
		f.Arc(i-lo, t, in.cost(i, a))
	}
	base := 0.0
	seen := map[ValueID]bool{}
	visit := func(v ValueID) {
		if seen[v] {
			return
		}
		seen[v] = true
		base += in.tieRange(f, v, a, b, s, t, vertex)
	}
	for v := range in.p.Values {
		val := &in.p.Values[v]
		last := int(val.Producer)
		if n := len(val.Consumers); n > 0 {
			last = int(val.Consumers[n-1])
		}
		if val.Output || last >= lo {
			visit(ValueID(v))
		}
	}
	value := f.Run(s, t)
	if value == inf {
		return nil, inf
	}
	place := make([]NodeID, hi-lo)
	for i := range place {
		place[i] = b
		if f.Side(i) {
			place[i] = a
		}
	}
	return place, base + value
}

// tieRange adds a value to the network of a block.
func (in *instance) tieRange(f *maxflow.Network, v ValueID, a, b NodeID, s, t int, vertex func(PieceID) int) float64 {
	val := &in.p.Values[v]
	fixed := 0.0
	maker := s
	up := in.fetch(v, b)
	if val.Producer != External {
		maker, up = vertex(val.Producer), in.cheapest(v, a, b)
	}
	var readers []int
	for _, c := range val.Consumers {
		r := vertex(c)
		readers = append(readers, r)
		if val.Producer != External && r != s && maker != s {
			f.Arc(r, maker, inf)
		}
	}
	if val.Output {
		switch {
		case in.p.Sink == b:
			readers = append(readers, t)
		case maker == t && val.Producer != External:
			fixed += in.cheapest(v, b, in.p.Sink)
		case maker != s:
			f.Arc(s, maker, in.cheapest(v, b, in.p.Sink))
			f.Arc(maker, t, in.cheapest(v, a, in.p.Sink))
		default:
			fixed += in.cheapest(v, a, in.p.Sink)
		}
	}
	if maker != t {
		f.Once(maker, readers, up)
	}
	return fixed
}
