package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// reduceAxes are the axes that an op reduces, ascending as flags, and the shape of its output.
func (c *call) reduceAxes(s tensor.Shape) (drop []bool, out tensor.Shape, noop bool, err error) {
	axes, err := c.axesInput(1)
	if err != nil {
		return nil, nil, false, err
	}
	if len(axes) == 0 {
		if c.attrInt("noop_with_empty_axes", 0) == 1 {
			return nil, s, true, nil
		}
		for i := range s {
			axes = append(axes, i)
		}
	}
	if axes, err = c.axes(axes, len(s)); err != nil {
		return nil, nil, false, err
	}
	drop = make([]bool, len(s))
	for _, a := range axes {
		drop[a] = true
	}
	out = tensor.Shape{}
	for i, d := range s {
		switch {
		case !drop[i]:
			out = append(out, d)
		case c.attrInt("keepdims", 1) == 1:
			out = append(out, 1)
		}
	}
	return drop, out, false, nil
}

// reduction folds the elements of one output: start, then step for each, then finish with their number.
type reduction[A any] struct {
	start  A
	step   func(acc, x A) A
	finish func(acc A, n int) A
}

func floatReduction(typ string) reduction[float64] {
	add := func(a, x float64) float64 { return a + x }
	square := func(a, x float64) float64 { return a + x*x }
	switch typ {
	case "ReduceSum":
		return reduction[float64]{0, add, nil}
	case "ReduceMean":
		return reduction[float64]{0, add, func(a float64, n int) float64 { return a / float64(n) }}
	case "ReduceProd":
		return reduction[float64]{1, func(a, x float64) float64 { return a * x }, nil}
	case "ReduceMax":
		return reduction[float64]{math.Inf(-1), func(a, x float64) float64 { return max(a, x) }, nil}
	case "ReduceMin":
		return reduction[float64]{math.Inf(1), func(a, x float64) float64 { return min(a, x) }, nil}
	case "ReduceL1":
		return reduction[float64]{0, func(a, x float64) float64 { return a + math.Abs(x) }, nil}
	case "ReduceL2":
		return reduction[float64]{0, square, func(a float64, _ int) float64 { return math.Sqrt(a) }}
	case "ReduceSumSquare":
		return reduction[float64]{0, square, nil}
	default: // ReduceLogSum
		return reduction[float64]{0, add, func(a float64, _ int) float64 { return math.Log(a) }}
	}
}

func intReduction(typ string) (reduction[int64], bool) {
	switch typ {
	case "ReduceSum":
		return reduction[int64]{0, func(a, x int64) int64 { return a + x }, nil}, true
	case "ReduceMean":
		return reduction[int64]{0, func(a, x int64) int64 { return a + x }, func(a int64, n int) int64 { return a / int64(max(n, 1)) }}, true
	case "ReduceProd":
		return reduction[int64]{1, func(a, x int64) int64 { return a * x }, nil}, true
	case "ReduceMax":
		return reduction[int64]{math.MinInt64, func(a, x int64) int64 { return max(a, x) }, nil}, true
	case "ReduceMin":
		return reduction[int64]{math.MaxInt64, func(a, x int64) int64 { return min(a, x) }, nil}, true
	case "ReduceL1":
		return reduction[int64]{0, func(a, x int64) int64 { return a + max(x, -x) }, nil}, true
	case "ReduceSumSquare":
		return reduction[int64]{0, func(a, x int64) int64 { return a + x*x }, nil}, true
	}
	return reduction[int64]{}, false
}

// reduceSlots gives, for each element of a tensor of shape s, the index of the output element it goes to, by calling f
// row by row: n consecutive elements go to slot, slot+step, ...
func reduceSlots(s tensor.Shape, drop []bool, f func(n, slot, step int)) {
	kept := tensor.Shape{}
	for i, d := range s {
		if drop[i] {
			d = 1
		}
		kept = append(kept, d)
	}
	st := broadcastStrides(kept, s)
	walk(s, [][]int{st}, func(n int, at []int) { f(n, at[0], last(st)) })
}

func fold[A any](r reduction[A], s tensor.Shape, drop []bool, in []A, out []A) {
	for i := range out {
		out[i] = r.start
	}
	k := 0
	reduceSlots(s, drop, func(n, slot, step int) {
		for range n {
			out[slot] = r.step(out[slot], in[k])
			slot += step
			k++
		}
	})
	if r.finish != nil && len(out) > 0 {
		for i := range out {
			out[i] = r.finish(out[i], len(in)/len(out))
		}
	}
}

func evalReduce(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	drop, so, noop, err := c.reduceAxes(t.Shape())
	if err != nil {
		return err
	}
	if noop {
		drop = make([]bool, len(t.Shape()))
	}
	if noop && (c.op.Type == "ReduceSum" || c.op.Type == "ReduceMean" || c.op.Type == "ReduceMax" || c.op.Type == "ReduceMin") {
		c.set(0, t)
		return nil
	}
	out, err := c.output(0, t.DType(), so)
	if err != nil {
		return err
	}
	if r, ok := intReduction(c.op.Type); ok && (t.DType() == tensor.Int64 || t.DType() == tensor.Int32) {
		v, err := c.ints(0)
		if err != nil {
			return err
		}
		in, acc := make([]int64, len(v)), make([]int64, out.Len())
		for i, x := range v {
			in[i] = int64(x)
		}
		fold(r, t.Shape(), drop, in, acc)
		if t.DType() == tensor.Int64 {
			copy(tensor.Data[int64](out), acc)
			return nil
		}
		for i, x := range acc {
			tensor.Data[int32](out)[i] = int32(x)
		}
		return nil
	}
	if t.DType() == tensor.String {
		return c.unsupported("strings")
	}
	v, acc := floats(t), make([]float64, out.Len())
	if c.op.Type == "ReduceLogSumExp" {
		logSumExp(t.Shape(), drop, v, acc)
	} else {
		fold(floatReduction(c.op.Type), t.Shape(), drop, v, acc)
	}
	setFloats(out, acc)
	return nil
}

// logSumExp subtracts the largest element first, so that nothing overflows.
func logSumExp(s tensor.Shape, drop []bool, in, out []float64) {
	top := make([]float64, len(out))
	fold(floatReduction("ReduceMax"), s, drop, in, top)
	for i, m := range top {
		if math.IsInf(m, 0) {
			top[i] = 0
		}
	}
	k := 0
	clear(out)
	reduceSlots(s, drop, func(n, slot, step int) {
		for range n {
			out[slot] += math.Exp(in[k] - top[slot])
			slot += step
			k++
		}
	})
	for i := range out {
		out[i] = math.Log(out[i]) + top[i]
	}
}

// evalArg is ArgMax and ArgMin.
func evalArg(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", 0), len(t.Shape()))
	if err != nil {
		return err
	}
	outer, n, inner := blocks(t.Shape(), axis)
	s := t.Shape()[:axis].Clone()
	if c.attrInt("keepdims", 1) == 1 {
		s = append(s, 1)
	}
	s = append(s, t.Shape()[axis+1:]...)
	out, err := c.output(0, tensor.Int64, s)
	if err != nil {
		return err
	}
	v, lastWins := floats(t), c.attrInt("select_last_index", 0) == 1
	d := tensor.Data[int64](out)
	for o := range outer {
		for i := range inner {
			best := 0
			for j := 1; j < n; j++ {
				x, y := v[(o*n+j)*inner+i], v[(o*n+best)*inner+i]
				if c.op.Type == "ArgMin" {
					x, y = y, x
				}
				if x > y || x == y && lastWins {
					best = j
				}
			}
			d[o*inner+i] = int64(best)
		}
	}
	return nil
}

// evalSoftmax is Softmax, LogSoftmax and Hardmax. Before opset 13 they flatten to a matrix at the axis.
func evalSoftmax(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	s, def := t.Shape(), -1
	if c.opset < 13 {
		def = 1
	}
	a := c.attrInt("axis", def)
	if len(s) == 0 {
		s = tensor.Shape{1}
	}
	if c.opset < 13 && a == len(s) {
		a = len(s) - 1
		s = append(s.Clone(), 1)
	}
	axis, err := c.axis(a, len(s))
	if err != nil {
		return err
	}
	outer, n, inner := blocks(s, axis)
	if c.opset < 13 {
		n, inner = n*inner, 1
	}
	out, err := c.output(0, t.DType(), t.Shape())
	if err != nil {
		return err
	}
	v := floats(t)
	for o := range outer {
		for i := range inner {
			row := v[o*n*inner+i:]
			softmaxRow(c.op.Type, row, n, inner)
		}
	}
	setFloats(out, v)
	return nil
}

func softmaxRow(typ string, row []float64, n, step int) {
	top, at := math.Inf(-1), 0
	for j := range n {
		if x := row[j*step]; x > top {
			top, at = x, j
		}
	}
	if typ == "Hardmax" {
		for j := range n {
			row[j*step] = 0
		}
		row[at*step] = 1
		return
	}
	if math.IsInf(top, -1) {
		top = 0
	}
	sum := 0.0
	for j := range n {
		sum += math.Exp(row[j*step] - top)
	}
	for j := range n {
		x := row[j*step] - top
		if typ == "LogSoftmax" {
			row[j*step] = x - math.Log(sum)
		} else {
			row[j*step] = math.Exp(x) / sum
		}
	}
}
