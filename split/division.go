package split

import (
	"errors"
	"fmt"
	"slices"
)

// Limits of a division.
const (
	// MaxDivisions is the most blocks of one graph that are divided, MaxParts the most parts of a block.
	MaxDivisions = 32
	MaxParts     = 16
)

// ErrNotDivisible is wrapped when a block cannot be computed in parts; the error names the op and the reason.
var ErrNotDivisible = errors.New("block cannot be divided")

// Division says that a block is computed in parts which different machines may take: an operator split. The block is the groups
// from First to Last of a canonical graph; exactly one value leaves it. Each part computes a piece of that value along Axis:
// spatial tiles with halos where Axis is a height or width, output channels, attention heads, or rows of a batch.
//
// Spatial tiles of fused layers follow DeepThings (Zhao, Barijough, Gerstlauer, TCAD 2018) and AOFL (Zhou et al., SEC 2019), parts in
// proportion to speed MoDNN (Mao et al., DATE 2017) and CoEdge (Zeng et al., ToN 2020), channels and heads the column-parallel half
// of Megatron-LM (Shoeybi et al., 2019). Sums are never divided, so every element is still computed by one machine in one order.
type Division struct {
	First GroupID `json:"first"`
	Last  GroupID `json:"last"`
	Axis  int     `json:"axis"`
	// Parts is the size of each part along Axis, in order; they add up to the value's size.
	Parts []int `json:"parts"`
}

// Origin says what a group of a divided graph is in the graph that was divided.
type Origin struct {
	// Group is the one of which it computes a share; -1 for the Slice in front of a part and the Concat behind.
	Group GroupID
	// Share is how much of that group's work it is, halo included: 1 for a group outside of every block.
	Share float64
	// Division and Part say which part of which division it belongs to. Division is -1 outside of every block, Part is -1 for Concat.
	Division, Part int
}

// ValueOrigin says which value of the graph that was divided a value is, or is a part of.
type ValueOrigin struct {
	Value ValueID // -1 for a constant that only the divided graph has
	Share float64 // of its elements
}

// Divided is a graph with divided blocks. It computes the same as the graph it was made from, and stages, sessions and
// codecs treat it as any other graph.
type Divided struct {
	Graph *Graph
	// Groups and Values are parallel to Graph's.
	Groups []Origin
	Values []ValueOrigin
}

// Divide rewrites g, which must be canonical and of known shapes, so that each division's block becomes parallel parts:
//
//	inputs -> Slice (with halo) -> the block's ops, with padding or constants to fit -> Concat
//
// The halo is the exact receptive field, found from the back. Equal arguments give graphs of equal digest on every node. Divisions
// may stand in any order but must not overlap. It fails with ErrNotDivisible where an op cannot be divided exactly,
// and with ErrInvalid where a division does not fit the graph.
func (g *Graph) Divide(divisions []Division) (*Divided, error) {
	divisions = slices.Clone(divisions)
	slices.SortFunc(divisions, func(a, b Division) int { return int(a.First) - int(b.First) })
	if len(divisions) > MaxDivisions {
		return nil, fmt.Errorf("divide %q: %w: %d blocks, limit %d", g.Name, ErrLimit, len(divisions), MaxDivisions)
	}
	b := newDivider(g)
	next := GroupID(0)
	for i, d := range divisions {
		if d.First < next || d.Last < d.First || int(d.Last) >= len(g.Groups) {
			return nil, fmt.Errorf("divide %q: %w", g.Name, invalid("block %d to %d does not follow group %d of %d", d.First, d.Last, next, len(g.Groups)))
		}
		for id := next; id < d.First; id++ {
			b.keep(id)
		}
		if err := b.divide(i, d); err != nil {
			return nil, fmt.Errorf("divide %q: %w", g.Name, err)
		}
		next = d.Last + 1
	}
	for id := next; int(id) < len(g.Groups); id++ {
		b.keep(id)
	}
	out, err := b.finish()
	if err != nil {
		return nil, fmt.Errorf("divide %q: %w", g.Name, err)
	}
	return out, nil
}

// BlockOutput is the one value that leaves the groups from first to last. It fails with ErrNotDivisible when there are more, or none,
// or when its shape is not known.
func (g *Graph) BlockOutput(first, last GroupID) (ValueID, error) {
	if first < 0 || last < first || int(last) >= len(g.Groups) {
		return None, invalid("block %d to %d of %d groups", first, last, len(g.Groups))
	}
	lo, hi := g.Groups[first].Ops[0], g.Groups[last].Ops[len(g.Groups[last].Ops)-1]
	out := None
	for id := first; id <= last; id++ {
		for _, v := range g.Groups[id].Out {
			leaves := slices.Contains(g.Outputs, v)
			for _, c := range g.Values[v].Consumers {
				leaves = leaves || c < lo || c > hi
			}
			if !leaves {
				continue
			}
			if out != None {
				return None, fmt.Errorf("%w: both %q and %q leave it", ErrNotDivisible, g.Values[out].Name, g.Values[v].Name)
			}
			out = v
		}
	}
	if out == None || g.Values[out].Kind != TensorKind || g.Values[out].Shape == nil || !g.Values[out].Shape.Known() {
		return None, fmt.Errorf("%w: no one tensor of known shape leaves groups %q to %q", ErrNotDivisible, g.Groups[first].Name, g.Groups[last].Name)
	}
	return out, nil
}

// check holds a division against the block's output.
func (d *Division) check(v *Value) error {
	if d.Axis < 0 || d.Axis >= len(v.Shape) {
		return invalid("axis %d of %s %q", d.Axis, v.Type(), v.Name)
	}
	if len(d.Parts) < 2 || len(d.Parts) > MaxParts {
		return invalid("%d parts: want 2 to %d", len(d.Parts), MaxParts)
	}
	left := v.Shape[d.Axis]
	for _, n := range d.Parts {
		if n < 1 || n > left {
			return invalid("parts %v of size %d along axis %d of %q", d.Parts, v.Shape[d.Axis], d.Axis, v.Name)
		}
		left -= n
	}
	if left != 0 {
		return invalid("parts %v of size %d along axis %d of %q", d.Parts, v.Shape[d.Axis], d.Axis, v.Name)
	}
	return nil
}

// PartNeeds is what one part of a block takes, as shares: of the work of each group of the block, in order, and of the elements of each
// value from outside.
type PartNeeds struct {
	Groups []float64
	Inputs map[ValueID]float64
}

// Needs is what each part of a division would take, without building the graph. It fails as Divide does.
func (g *Graph) Needs(d Division) ([]PartNeeds, error) {
	out, err := g.BlockOutput(d.First, d.Last)
	if err != nil {
		return nil, err
	}
	if err := d.check(&g.Values[out]); err != nil {
		return nil, err
	}
	needs := make([]PartNeeds, len(d.Parts))
	lo := 0
	for k, n := range d.Parts {
		p, err := newBlockPart(g, d, Origin{Part: k}, out, span{d.Axis, lo, lo + n})
		if err != nil {
			return nil, err
		}
		lo += n
		needs[k].Inputs = map[ValueID]float64{}
		for v, s := range p.want {
			needs[k].Inputs[v] = s.share(&g.Values[v])
		}
		for _, id := range p.groups {
			ops := g.Groups[id].Ops
			share := 0.0
			for _, op := range ops {
				if v := g.Ops[op].Output(0); p.ops[op] != nil {
					share = p.made[v].share(&g.Values[v])
				}
			}
			needs[k].Groups = append(needs[k].Groups, share)
		}
	}
	return needs, nil
}

// share is s as a share of the value's elements.
func (s span) share(v *Value) float64 {
	if s.axis < 0 {
		return 1
	}
	return float64(s.hi-s.lo) / float64(v.Shape[s.axis])
}

// AxisName says what a division's axis is: "rows" or "columns" of pictures, "heads" of an attention, "channels", or "axis 1" and the like.
func (g *Graph) AxisName(d Division) string {
	v, err := g.BlockOutput(d.First, d.Last)
	if err != nil {
		return ""
	}
	if len(g.Values[v].Shape) == 4 && d.Axis >= 2 {
		return [2]string{"rows", "columns"}[d.Axis-2]
	}
	for id := d.First; id <= d.Last; id++ {
		for _, op := range g.Groups[id].Ops {
			if o := &g.Ops[op]; o.Is("Softmax") && d.Axis == 1 {
				return "heads"
			}
		}
	}
	if d.Axis == 1 && len(g.Values[v].Shape) != 3 || d.Axis == 2 {
		return "channels"
	}
	return fmt.Sprintf("axis %d", d.Axis)
}
