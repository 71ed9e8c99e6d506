package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// partial is what follows for o's output, a vector or scalar of integers, from inputs that are known in part: the ops that
// models compute shapes with. It is nil when nothing is known.
func (inf *inference) partial(o *Op) []elem {
	if len(o.Inputs) == 0 || o.Inputs[0] == None || len(o.Outputs) == 0 || o.Outputs[0] == None {
		return nil
	}
	v := &inf.g.Values[o.Outputs[0]]
	if v.DType != tensor.Int64 && v.DType != tensor.Int32 || v.Shape == nil || len(v.Shape) > 1 {
		return nil
	}
	first := inf.elems(o.Inputs[0])
	switch o.Type {
	case "Shape":
		d := typeDims(inf.g.Values[o.Inputs[0]].Type())
		if d == nil {
			return nil
		}
		list := []elem{}
		for _, x := range d[shapeRange(o, len(d)):][:shapeCount(o, len(d))] {
			list = append(list, elem{v: int64(x.n), ok: x.known(), p: x.p})
		}
		return list
	case "Identity", "Squeeze", "Unsqueeze", "Cast", "Reshape":
		if n := inf.g.elements(o.Outputs[0]); n != int64(len(first)) && n >= 0 {
			return nil
		}
		return first
	case "Concat":
		return inf.concatElems(o)
	case "Gather":
		return inf.gatherElems(o, first)
	case "Slice":
		return inf.sliceElems(o, first)
	case "Add", "Sub", "Mul", "Div":
		return arithmeticElems(o.Type, first, inf.elems(o.Inputs[1]), len(v.Shape) == 0)
	}
	return nil
}

func (inf *inference) concatElems(o *Op) []elem {
	list := []elem{}
	for _, in := range o.Inputs {
		part := inf.elems(in)
		if part == nil {
			n := inf.g.elements(in)
			if n < 0 || n > MaxPropagated {
				return nil
			}
			part = make([]elem, n)
		}
		if list = append(list, part...); len(list) > MaxPropagated {
			return nil
		}
	}
	return list
}

func (inf *inference) gatherElems(o *Op, from []elem) []elem {
	index := inf.elems(o.Inputs[1])
	if from == nil || index == nil || len(inf.g.Values[o.Inputs[0]].Shape) != 1 {
		return nil
	}
	list := make([]elem, len(index))
	for i, e := range index {
		at := e.v
		if at < 0 {
			at += int64(len(from))
		}
		if e.ok && at >= 0 && at < int64(len(from)) {
			list[i] = from[at]
		}
	}
	return list
}

func (inf *inference) sliceElems(o *Op, from []elem) []elem {
	start, end := inf.elems(o.Input(1)), inf.elems(o.Input(2))
	step := []elem{{v: 1, ok: true}}
	if o.Input(4) != None {
		step = inf.elems(o.Input(4))
	}
	if from == nil || len(start) != 1 || len(end) != 1 || len(step) != 1 || !start[0].ok || !end[0].ok || !step[0].ok || step[0].v == 0 {
		return nil
	}
	at, _ := sliceBounds(len(from), start[0].v, end[0].v, step[0].v)
	list := make([]elem, sliceCount(len(from), start[0].v, end[0].v, step[0].v))
	for i := range list {
		list[i] = from[at+int64(i)*step[0].v]
	}
	return list
}

// arithmeticElems computes element by element; scalars stretch. What is added to or multiplied by a symbol is only kept where it changes
// nothing.
func arithmeticElems(op string, a, b []elem, scalar bool) []elem {
	if a == nil || b == nil || len(a) != len(b) && len(a) != 1 && len(b) != 1 {
		return nil
	}
	n := max(len(a), len(b))
	if len(a) == 0 || len(b) == 0 {
		n = 0
	}
	if scalar && n != 1 {
		return nil
	}
	a, b = stretchElems(a, n), stretchElems(b, n)
	list := make([]elem, n)
	for i := range list {
		x, y := a[i], b[i]
		switch {
		case x.ok && y.ok:
			list[i] = arithmetic(op, x.v, y.v)
		case y.ok && (y.v == 0 && (op == "Add" || op == "Sub") || y.v == 1 && (op == "Mul" || op == "Div")):
			list[i] = x
		case x.ok && (x.v == 0 && op == "Add" || x.v == 1 && op == "Mul"):
			list[i] = y
		}
	}
	return list
}

func stretchElems(list []elem, n int) []elem {
	if len(list) == n || n == 0 {
		return list[:n]
	}
	return slices.Repeat(list, n)
}

func arithmetic(op string, x, y int64) elem {
	switch {
	case op == "Add":
		return elem{v: x + y, ok: true}
	case op == "Sub":
		return elem{v: x - y, ok: true}
	case op == "Mul":
		return elem{v: x * y, ok: true}
	case y != 0:
		return elem{v: x / y, ok: true}
	}
	return elem{}
}
