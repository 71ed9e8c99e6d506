package split

import (
	"fmt"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// divider builds a divided graph group by group. New values stand behind those of base until finish drops what is not used.
type divider struct {
	base, g *Graph
	origins []Origin
	values  []ValueOrigin
	names   map[string]bool // of values and of groups
}

func newDivider(base *Graph) *divider {
	g := base.clone()
	g.Ops, g.Groups = nil, nil
	b := &divider{base: base, g: g, names: map[string]bool{}}
	for i := range base.Values {
		b.values = append(b.values, ValueOrigin{ValueID(i), 1})
		b.names[base.Values[i].Name] = true
	}
	for i := range base.Groups {
		b.names[base.Groups[i].Name] = true
	}
	return b
}

// keep takes a group over as it is.
func (b *divider) keep(id GroupID) {
	gr := b.base.Groups[id]
	b.add(gr, b.opsOf(gr), Origin{Group: id, Share: 1, Division: -1, Part: -1})
}

func (b *divider) opsOf(gr Group) []Op {
	var ops []Op
	for _, op := range gr.Ops {
		ops = append(ops, b.base.Ops[op])
	}
	return ops
}

// add appends a group of the given ops.
func (b *divider) add(gr Group, ops []Op, o Origin) {
	gr.Ops = nil
	for _, op := range ops {
		gr.Ops = append(gr.Ops, OpID(len(b.g.Ops)))
		b.g.Ops = append(b.g.Ops, op)
	}
	gr.In, gr.Out = nil, nil
	b.g.Groups = append(b.g.Groups, gr)
	b.origins = append(b.origins, o)
}

// fresh is a name that nothing has yet.
func (b *divider) fresh(name string) string {
	for b.names[name] {
		name += "_"
	}
	b.names[name] = true
	return name
}

// part is a value that holds s of v.
func (b *divider) part(v ValueID, s span) ValueID {
	val := b.base.Values[v]
	share, shape, name := s.share(&val), val.Shape.Clone(), val.Name
	if s.axis >= 0 {
		shape[s.axis] = s.hi - s.lo
		name = fmt.Sprintf("%s[%d:%d]", val.Name, s.lo, s.hi)
	}
	id := ValueID(len(b.g.Values))
	b.g.Values = append(b.g.Values, Value{Name: b.fresh(name), DType: val.DType, Shape: shape, Producer: -1})
	b.values = append(b.values, ValueOrigin{v, share})
	return id
}

// constant is a new constant.
func (b *divider) constant(name string, t *tensor.Tensor) ValueID {
	id := ValueID(len(b.g.Values))
	b.g.Values = append(b.g.Values, Value{Name: b.fresh(name), DType: t.DType(), Shape: t.Shape().Clone(), Const: t, Producer: -1})
	b.values = append(b.values, ValueOrigin{-1, 1})
	return id
}

// slice adds an op that cuts s out of value from, whose axis starts at offset, in a group of its own.
func (b *divider) slice(v, from ValueID, offset int, s span, o Origin) ValueID {
	out := b.part(v, s)
	name := b.g.Values[out].Name
	one := func(what string, n int) ValueID {
		return b.constant(name+"/"+what, tensor.Of[int64](tensor.Int64, tensor.Shape{1}, int64(n)))
	}
	op := Op{Name: name, Type: "Slice", Outputs: []ValueID{out}, Inputs: []ValueID{
		from, one("starts", s.lo-offset), one("ends", s.hi-offset), one("axes", s.axis), one("steps", 1),
	}}
	o.Group, o.Share = -1, 0
	b.add(Group{Name: b.fresh(name + "/slice"), Pattern: "Slice"}, []Op{op}, o)
	return out
}

// divide adds a block in parts.
func (b *divider) divide(index int, d Division) error {
	out, err := b.base.BlockOutput(d.First, d.Last)
	if err != nil {
		return err
	}
	if err := d.check(&b.base.Values[out]); err != nil {
		return err
	}
	parts := make([]*blockPart, len(d.Parts))
	lo := 0
	for k, n := range d.Parts {
		if parts[k], err = newBlockPart(b.base, d, Origin{Division: index, Part: k}, out, span{d.Axis, lo, lo + n}); err != nil {
			return err
		}
		parts[k].b = b
		lo += n
	}
	// What leaves the machine that holds an input must not wait for a part that this machine computes: all Slice ops come first.
	for _, p := range parts {
		p.takeInputs()
	}
	concat := Op{Name: b.fresh(b.base.Values[out].Name + "/concat"), Type: "Concat", Attrs: map[string]Attr{"axis": int64(d.Axis)}, Outputs: []ValueID{out}}
	for _, p := range parts {
		if err := p.emit(); err != nil {
			return err
		}
		concat.Inputs = append(concat.Inputs, p.have[out].id)
	}
	b.add(Group{Name: concat.Name, Pattern: "Concat"}, []Op{concat}, Origin{Group: -1, Division: index, Part: -1})
	return nil
}

// finish drops the values that nothing uses, links the graph, and holds its types against shape inference.
func (b *divider) finish() (*Divided, error) {
	used := make([]bool, len(b.g.Values))
	mark := func(list []ValueID) {
		for _, v := range list {
			if v != None {
				used[v] = true
			}
		}
	}
	mark(b.g.Inputs)
	mark(b.g.Outputs)
	for _, ops := range b.everyOp() {
		for i := range ops {
			mark(ops[i].Inputs)
			mark(ops[i].Outputs)
			mark(ops[i].Captures)
		}
	}
	out := &Divided{Graph: b.g, Groups: b.origins}
	ids := make([]ValueID, len(used))
	var values []Value
	for v, yes := range used {
		if yes {
			ids[v] = ValueID(len(values))
			values = append(values, b.g.Values[v])
			out.Values = append(out.Values, b.values[v])
		}
	}
	renumber := func(list []ValueID) []ValueID {
		list = slices.Clone(list)
		for i, v := range list {
			if v != None {
				list[i] = ids[v]
			}
		}
		return list
	}
	b.g.Values, b.g.Inputs, b.g.Outputs = values, renumber(b.g.Inputs), renumber(b.g.Outputs)
	for _, ops := range b.everyOp() {
		for i := range ops {
			ops[i].Inputs, ops[i].Outputs, ops[i].Captures = renumber(ops[i].Inputs), renumber(ops[i].Outputs), renumber(ops[i].Captures)
		}
	}
	if err := b.g.link(); err != nil {
		return nil, err
	}
	b.g.fillGroupBorders()
	return out, b.agree()
}

// everyOp is the ops of the graph, and the fused ones of each group, which it makes the new graph's own.
func (b *divider) everyOp() [][]Op {
	all := [][]Op{b.g.Ops}
	for i := range b.g.Groups {
		b.g.Groups[i].Fused = slices.Clone(b.g.Groups[i].Fused)
		all = append(all, b.g.Groups[i].Fused)
	}
	return all
}

// agree fails unless shape inference finds the shapes that were worked out from spans.
func (b *divider) agree() error {
	c := b.g.clone()
	if _, err := inferTypes(c); err != nil {
		return err
	}
	for i := range c.Values {
		if want, got := b.g.Values[i].Type(), c.Values[i].Type(); want.String() != got.String() {
			return fmt.Errorf("%w: %q would be %s in parts and %s by its op", ErrNotDivisible, c.Values[i].Name, want, got)
		}
	}
	return nil
}
