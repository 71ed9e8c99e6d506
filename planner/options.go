package planner

import "slices"

// option is one way to get a value to a node: the node that sends it, and the hop.
type option struct {
	from NodeID
	hop  hop
}

// options lists the ways to get v, made at origin (ignored for an External value), to node n, best first. For an External
// value that several nodes hold, each coding is sent by the holder for which it weighs least.
func (in *instance) options(v ValueID, origin, n NodeID) []option {
	if in.p.Values[v].Producer != External {
		ways := in.ways(v, origin, n)
		out := make([]option, len(ways))
		for k, w := range ways {
			out[k] = option{origin, w}
		}
		return out
	}
	// Codings from different holders use different links, so that none makes one from another holder useless.
	var out []option
	for _, a := range in.at(v) {
		var ways []hop
		for k := range in.p.Values[v].Codings {
			from, w, ok := in.holder(v, n, k)
			if ok && from == a && (in.p.Limits.Loss == 0 || w.loss <= in.p.Limits.Loss) {
				ways = append(ways, w)
			}
		}
		for _, w := range in.best(ways) {
			if !slices.ContainsFunc(out, func(o option) bool { return o.hop.coding == w.coding }) {
				out = append(out, option{a, w})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y option) int {
		return compareBy(in.weigh(&x.hop), in.weigh(&y.hop), x.hop.wire, y.hop.wire, x.hop.loss, y.hop.loss)
	})
	return out
}

// holder is the node that sends External value v to n under coding k: the one for which the hop weighs least.
func (in *instance) holder(v ValueID, n NodeID, k int) (NodeID, hop, bool) {
	from, best := NodeID(-1), hop{}
	for _, a := range in.at(v) {
		if a == n || in.p.Paths[a][n].Goodput == 0 || !in.p.mayBe(v, a) || !in.p.mayBe(v, n) {
			continue
		}
		if w := in.way(v, a, n, k); from < 0 || in.weigh(&w) < in.weigh(&best) {
			from, best = a, w
		}
	}
	return from, best, from >= 0
}

// optionTable is options for every value, origin and receiver. For External values the origin is node 0's row.
type optionTable struct {
	in   *instance
	rows [][]option
	// least is the fewest seconds of each row, what its loss is charged with included; +Inf where it is empty.
	least []float64
	// quickest is the fewest seconds alone, parts the least of each part.
	quickest []float64
	parts    []hopParts
}

// hopParts are the least seconds of a row's hops before their link, on it, and after it.
type hopParts struct {
	from               NodeID // -1 where the row is empty, or its hops come from several nodes
	encode, wire, rest float64
}

func newOptionTable(in *instance) *optionTable {
	t := &optionTable{in: in, rows: make([][]option, len(in.hops)), least: make([]float64, len(in.hops)), quickest: make([]float64, len(in.hops)), parts: make([]hopParts, len(in.hops))}
	for v := range in.p.Values {
		for a := range in.nodes {
			for b := range in.nodes {
				k := (v*in.nodes+a)*in.nodes + b
				t.least[k], t.quickest[k], t.parts[k] = inf, inf, hopParts{-1, inf, inf, inf}
				if in.p.Values[v].Producer == External && a > 0 {
					continue
				}
				t.rows[k] = in.options(ValueID(v), NodeID(a), NodeID(b))
				p := &t.parts[k]
				for j, o := range t.rows[k] {
					if j == 0 {
						p.from = o.from
					} else if o.from != p.from {
						p.from = -1
					}
					p.encode, p.wire, p.rest = min(p.encode, o.hop.encode), min(p.wire, o.hop.wire), min(p.rest, o.hop.delay+o.hop.decode)
					t.quickest[k] = min(t.quickest[k], o.hop.seconds())
					t.least[k] = min(t.least[k], o.hop.seconds()+in.charge*o.hop.loss)
				}
			}
		}
	}
	return t
}

// row is the index of (v, origin, n); origin is ignored for External values.
func (t *optionTable) row(v ValueID, origin, n NodeID) int {
	if t.in.p.Values[v].Producer == External {
		origin = 0
	}
	return (int(v)*t.in.nodes+int(origin))*t.in.nodes + int(n)
}
