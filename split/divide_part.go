package split

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// span is the elements lo to hi-1 of a value along an axis; axis -1 stands for all of it.
type span struct{ axis, lo, hi int }

var whole = span{axis: -1}

// holding is a value of the divided graph that holds a span of a value of the base graph.
type holding struct {
	id ValueID
	s  span
}

// blockPart is one part of a block: which span of each value it needs and makes.
type blockPart struct {
	g          *Graph // the base graph
	b          *divider
	origin     Origin
	first      OpID
	groups     []GroupID
	ops        map[OpID]*dividedOp
	want, made map[ValueID]span // of values from outside, and of those that ops of the block make
	have       map[ValueID]holding
	cuts       map[cutKey]ValueID // further slices, of values and of constants
}

type cutKey struct {
	v ValueID
	s span
}

// dividedOp is what a rule says: the span of each input that one span of the output needs.
type dividedOp struct {
	need []span
	// made is the span of the output, when it is more than was asked for.
	made span
	// attrs and consts replace attributes and inputs; nil leaves all as they are.
	attrs  map[string]Attr
	consts map[int]*tensor.Tensor
}

// newBlockPart works out, from the back, what the span s of out needs. Its b is set before it emits.
func newBlockPart(g *Graph, d Division, o Origin, out ValueID, s span) (*blockPart, error) {
	p := &blockPart{
		g: g, origin: o, first: g.Groups[d.First].Ops[0], ops: map[OpID]*dividedOp{},
		want: map[ValueID]span{out: s}, made: map[ValueID]span{}, have: map[ValueID]holding{}, cuts: map[cutKey]ValueID{},
	}
	for id := d.First; id <= d.Last; id++ {
		p.groups = append(p.groups, id)
	}
	last := g.Groups[d.Last].Ops
	for id := last[len(last)-1]; id >= p.first; id-- {
		if err := p.trace(id); err != nil {
			return nil, g.opError(&g.Ops[id], err)
		}
	}
	return p, nil
}

// trace asks the rule of an op what it needs.
func (p *blockPart) trace(id OpID) error {
	g, o := p.g, &p.g.Ops[id]
	v := o.Output(0)
	s, ok := p.want[v]
	if !ok {
		return nil // a result that nobody reads
	}
	delete(p.want, v)
	if slices.ContainsFunc(o.Outputs[1:], func(v ValueID) bool { return v != None && len(g.Values[v].Consumers) > 0 }) || len(o.Captures) > 0 {
		return fmt.Errorf("%w: it has several results or a body", ErrNotDivisible)
	}
	var d *dividedOp
	if s == whole {
		if !p.constant(o) {
			return fmt.Errorf("%w: each part would have to compute all of %q", ErrNotDivisible, g.Values[v].Name)
		}
		d = &dividedOp{need: slices.Repeat([]span{whole}, len(o.Inputs)), made: whole}
	} else {
		var err error
		if d, err = g.divideOp(o, s); err != nil {
			return err
		}
	}
	p.ops[id], p.made[v] = d, d.made
	for i, in := range o.Inputs {
		if in == None || d.consts[i] != nil || g.Values[in].Const != nil {
			continue
		}
		if val := &g.Values[in]; val.Kind != TensorKind || val.Shape == nil || !val.Shape.Known() {
			return fmt.Errorf("%w: the shape of %q is not known", ErrNotDivisible, val.Name)
		}
		had, ok := p.want[in]
		if !ok {
			had = d.need[i]
		}
		p.want[in] = hull(had, d.need[i])
		if p.want[in] == whole && had != d.need[i] && g.Values[in].Producer >= p.first {
			return fmt.Errorf("%w: parts of %q along one axis and all of it are needed", ErrNotDivisible, g.Values[in].Name)
		}
	}
	return nil
}

// constant reports whether o reads constants alone, as a DequantizeLinear of weights does.
func (p *blockPart) constant(o *Op) bool {
	for v := range o.reads() {
		if p.g.Values[v].Const == nil {
			return false
		}
	}
	return true
}

// hull is the least span that covers both.
func hull(a, b span) span {
	if a.axis != b.axis {
		return whole
	}
	return span{a.axis, min(a.lo, b.lo), max(a.hi, b.hi)}
}

// covers reports whether s is all of the value.
func (s span) covers(v *Value) bool { return s.axis < 0 || s.lo == 0 && s.hi == v.Shape[s.axis] }

// takeInputs slices what comes from outside, largest spans first taken, in order of value.
func (p *blockPart) takeInputs() {
	for _, v := range sortedKeys(p.want) {
		s := p.want[v]
		if s.covers(&p.g.Values[v]) {
			p.have[v] = holding{v, whole}
			continue
		}
		p.have[v] = holding{p.b.slice(v, v, 0, s, p.origin), s}
	}
}

// emit adds the part's groups.
func (p *blockPart) emit() error {
	for _, id := range p.groups {
		gr := p.g.Groups[id]
		local := map[ValueID]ValueID{}
		var ops []Op
		name := gr.Name
		for _, op := range gr.Ops {
			d := p.ops[op]
			if d == nil {
				continue
			}
			o, err := p.rewrite(&p.g.Ops[op], d, gr, local)
			if err != nil {
				return p.g.opError(&p.g.Ops[op], err)
			}
			ops = append(ops, o)
			if s := p.made[p.g.Ops[op].Outputs[0]]; s.axis >= 0 {
				name = fmt.Sprintf("%s[%d:%d]", gr.Name, s.lo, s.hi)
			}
		}
		if len(ops) == 0 {
			continue
		}
		o := p.origin
		o.Group = id
		o.Share = p.b.values[ops[len(ops)-1].Outputs[0]].Share
		fused, err := p.fuse(gr.Fused, ops, local)
		if err != nil {
			return err
		}
		p.b.add(Group{Name: p.b.fresh(name), Pattern: gr.Pattern, Fused: fused}, ops, o)
	}
	return nil
}

// rewrite is o for this part. local collects, for the group, what each value of the base graph has become; None where its ops read
// different parts of it.
func (p *blockPart) rewrite(o *Op, d *dividedOp, gr Group, local map[ValueID]ValueID) (Op, error) {
	out := *o
	out.Inputs, out.Outputs = slices.Clone(o.Inputs), slices.Repeat([]ValueID{None}, len(o.Outputs))
	for i, v := range o.Inputs {
		if v == None {
			continue
		}
		id, err := p.input(v, d, i, gr)
		if err != nil {
			return out, err
		}
		if d.consts[i] == nil {
			if old, ok := local[v]; ok && old != id {
				local[v] = None
			} else {
				local[v] = id
			}
		}
		out.Inputs[i] = id
	}
	if len(d.attrs) > 0 {
		out.Attrs = map[string]Attr{}
		maps.Copy(out.Attrs, o.Attrs)
		maps.Copy(out.Attrs, d.attrs)
	}
	v := o.Outputs[0]
	id := p.b.part(v, p.made[v])
	p.have[v], local[v] = holding{id, p.made[v]}, id
	out.Outputs[0] = id
	out.Name = p.b.g.Values[id].Name
	return out, nil
}

// input is the value that input i of an op reads in this part.
func (p *blockPart) input(v ValueID, d *dividedOp, i int, gr Group) (ValueID, error) {
	b, val, s := p.b, &p.g.Values[v], d.need[i]
	if t := d.consts[i]; t != nil {
		return b.constant(val.Name+"/part", t), nil
	}
	key := cutKey{v, s}
	if val.Const != nil {
		if s.covers(val) {
			return v, nil
		}
		if id, ok := p.cuts[key]; ok {
			return id, nil
		}
		t, err := cutTensor(val.Const, s)
		if err != nil {
			return None, err
		}
		p.cuts[key] = b.constant(fmt.Sprintf("%s[%d:%d]", val.Name, s.lo, s.hi), t)
		return p.cuts[key], nil
	}
	h := p.have[v]
	if s == h.s || s.covers(val) && h.s.covers(val) {
		return h.id, nil
	}
	if id, ok := p.cuts[key]; ok {
		return id, nil
	}
	if prod := val.Producer; prod >= 0 && slices.Contains(gr.Ops, prod) {
		return None, fmt.Errorf("%w: it would have to be cut inside of a group", ErrNotDivisible)
	}
	offset := 0
	if h.s.axis >= 0 {
		offset = h.s.lo
	}
	p.cuts[key] = b.slice(v, h.id, offset, s, p.origin)
	return p.cuts[key], nil
}

// fuse is the shorter form of a group for this part: ops that the group has, too, as they were rewritten, composites with their values
// exchanged.
func (p *blockPart) fuse(fused []Op, ops []Op, local map[ValueID]ValueID) ([]Op, error) {
	var out []Op
	for i := range fused {
		f := fused[i]
		made, ok := local[f.Outputs[0]]
		if !ok {
			return nil, fmt.Errorf("%w: the fused form makes %q", ErrNotDivisible, p.g.Values[f.Outputs[0]].Name)
		}
		if k := slices.IndexFunc(ops, func(o Op) bool { return o.Outputs[0] == made && o.Type == f.Type && o.Domain == f.Domain }); k >= 0 {
			out = append(out, ops[k])
			continue
		}
		f.Inputs, f.Outputs = slices.Clone(f.Inputs), []ValueID{made}
		for k, v := range f.Inputs {
			if v == None {
				continue
			}
			id, ok := local[v]
			if ok && id == None || !ok && p.g.Values[v].Const == nil {
				return nil, fmt.Errorf("%w: the fused form reads %q", ErrNotDivisible, p.g.Values[v].Name)
			}
			if ok {
				f.Inputs[k] = id
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// cutTensor is the span s of a constant.
func cutTensor(t *tensor.Tensor, s span) (*tensor.Tensor, error) {
	shape := t.Shape().Clone()
	bits := t.DType().Bits()
	if t.Strings() != nil || bits%8 != 0 {
		return nil, fmt.Errorf("%w: a constant of type %s is not cut", ErrNotDivisible, t.DType())
	}
	outer, inner := 1, bits/8
	for i, n := range shape {
		if i < s.axis {
			outer *= n
		} else if i > s.axis {
			inner *= n
		}
	}
	row := shape[s.axis] * inner
	shape[s.axis] = s.hi - s.lo
	data := tensor.AlignedBytes(outer * (s.hi - s.lo) * inner)[:0]
	for k := range outer {
		data = append(data, t.Bytes()[k*row+s.lo*inner:k*row+s.hi*inner]...)
	}
	return tensor.FromBytes(t.DType(), shape, data)
}
