package split

import "github.com/cleave-mesh/cleave/internal/tensor"

// Cut is a legal two-way cut: the groups below Front run in front, the others behind.
type Cut struct {
	// Front is the number of groups in front.
	Front int
	// Values cross from front to back, each once, by id ascending: what ops in front computed, and inputs of the model, that
	// groups behind read. Constants never cross: each side has its own.
	Values []ValueID
	// Bytes is their size together, uncompressed; -1 when a shape is not known.
	Bytes int64
}

// Cuts is the legal two-way cuts that follow the order of g.Groups: one per prefix, from nothing in front (everything
// crosses as model input) to everything in front (nothing crosses; the outputs are delivered, not cut). A prefix over whose border a sequence or
// optional would cross is left out. Outputs of the model that are computed in front do not cross unless a group behind reads them.
// It needs the groups that Canonicalize makes.
func Cuts(g *Graph) []Cut {
	owner := g.opGroups()
	n := len(g.Groups)
	// last is the last group that reads a value, -1 when none does; first the prefix length from which it exists.
	first, last := make([]int, len(g.Values)), make([]int, len(g.Values))
	for v := range g.Values {
		val := &g.Values[v]
		last[v] = -1
		if val.Producer >= 0 {
			first[v] = int(owner[val.Producer]) + 1
		}
		if val.Const != nil {
			continue
		}
		for _, c := range val.Consumers {
			last[v] = max(last[v], int(owner[c]))
		}
	}
	cuts := make([]Cut, 0, n+1)
	for front := 0; front <= n; front++ {
		c := Cut{Front: front}
		legal := true
		for v := range g.Values {
			if first[v] > front || last[v] < front {
				continue
			}
			val := &g.Values[v]
			if val.Kind != TensorKind && front > 0 {
				legal = false
				break
			}
			c.Values = append(c.Values, ValueID(v))
			if size := val.Bytes(); size < 0 || c.Bytes < 0 {
				c.Bytes = -1
			} else {
				c.Bytes += size
			}
		}
		if legal {
			cuts = append(cuts, c)
		}
	}
	return cuts
}

// Bytes is the size of a tensor value without compression; -1 when it is not known or v is not a tensor.
func (v *Value) Bytes() int64 {
	if v.Kind != TensorKind || v.Shape == nil {
		return -1
	}
	n, err := tensor.Bytes(v.DType, v.Shape)
	if err != nil {
		return -1
	}
	return int64(n)
}
