package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// integerRange is the smallest and largest value of an integer type.
func integerRange(d tensor.DType) (lo, hi float64) {
	n := float64(d.Bits())
	if isSigned(d) {
		return -math.Exp2(n - 1), math.Exp2(n-1) - 1
	}
	return 0, math.Exp2(n) - 1
}

// perAxis finds, for each element of a tensor of shape s, its scale's index: one for all, one per slice of an axis, or one
// per block along it.
func (c *call) perAxis(s, scale tensor.Shape, axis, block int) (func(i int) int, error) {
	n := size(scale)
	if n == 1 && block == 0 {
		return func(int) int { return 0 }, nil
	}
	axis, err := c.axis(axis, len(s))
	if err != nil {
		return nil, err
	}
	_, k, inner := blocks(s, axis)
	if block == 0 {
		if len(scale) != 1 || n != k {
			return nil, c.errorf("scale %v does not fit axis %d of %v", scale, axis, s)
		}
		return func(i int) int { return i / inner % k }, nil
	}
	perBlock := (k + block - 1) / block
	if len(scale) != len(s) || scale[axis] != perBlock {
		return nil, c.errorf("scale %v does not fit blocks of %d along axis %d of %v", scale, block, axis, s)
	}
	return func(i int) int { return (i/inner/k*perBlock+i/inner%k/block)*inner + i%inner }, nil
}

// zeros are the elements of a zero point as floats, or n zeros when there is none.
func (c *call) zeros(i, n int) ([]float64, error) {
	t := c.maybe(i)
	if t == nil {
		return make([]float64, n), nil
	}
	z := floats(t)
	if len(z) != n {
		return nil, c.errorf("zero point %v does not fit a scale of %d", t.Shape(), n)
	}
	return z, nil
}

func evalQuantize(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	st, err := c.tensor(1)
	if err != nil {
		return err
	}
	to := tensor.DType(c.attrInt("output_dtype", int(tensor.Uint8)))
	if z := c.maybe(2); z != nil {
		to = z.DType()
	} else if to == tensor.Invalid {
		to = tensor.Uint8
	}
	at, err := c.perAxis(x.Shape(), st.Shape(), c.attrInt("axis", 1), c.attrInt("block_size", 0))
	if err != nil {
		return err
	}
	scale := floats(st)
	zero, err := c.zeros(2, len(scale))
	if err != nil {
		return err
	}
	out, err := c.output(0, to, x.Shape())
	if err != nil {
		return err
	}
	v := floats(x)
	single := x.DType() != tensor.Float64
	if !isInteger(to) {
		for i := range v {
			v[i] = v[i]/scale[at(i)] + zero[at(i)]
		}
		if f := smallFloatOf(to); f != nil {
			for i, x := range v {
				out.Bytes()[i] = f.encode(x, c.attrInt("saturate", 1) == 1)
			}
			return nil
		}
		setFloats(out, v)
		return nil
	}
	lo, hi := integerRange(to)
	for i := range v {
		k := at(i)
		q := v[i] / scale[k]
		if single {
			q = float64(float32(v[i]) / float32(scale[k]))
		}
		v[i] = min(max(math.RoundToEven(q)+zero[k], lo), hi)
	}
	setFloats(out, v)
	return nil
}

func evalDequantize(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	st, err := c.tensor(1)
	if err != nil {
		return err
	}
	at, err := c.perAxis(x.Shape(), st.Shape(), c.attrInt("axis", 1), c.attrInt("block_size", 0))
	if err != nil {
		return err
	}
	scale := floats(st)
	zero, err := c.zeros(2, len(scale))
	if err != nil {
		return err
	}
	to := st.DType()
	if d := c.attrInt("output_dtype", 0); d != 0 {
		to = tensor.DType(d)
	}
	out, err := c.output(0, to, x.Shape())
	if err != nil {
		return err
	}
	v := floats(x)
	for i := range v {
		k := at(i)
		v[i] = (v[i] - zero[k]) * scale[k]
	}
	setFloats(out, v)
	return nil
}

// evalDynamicQuantize chooses scale and zero point from the range of its input, zero included.
func evalDynamicQuantize(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	if x.DType() != tensor.Float32 {
		return c.unsupported("input of type %s", x.DType())
	}
	var lo, hi float32
	for _, v := range tensor.Data[float32](x) {
		lo, hi = min(lo, v), max(hi, v)
	}
	scale, zero := dynamicScale(lo, hi)
	y, err := c.output(0, tensor.Uint8, x.Shape())
	if err != nil {
		return err
	}
	s, err := c.output(1, tensor.Float32, tensor.Shape{})
	if err != nil {
		return err
	}
	z, err := c.output(2, tensor.Uint8, tensor.Shape{})
	if err != nil {
		return err
	}
	tensor.Data[float32](s)[0], z.Bytes()[0] = scale, zero
	for i, v := range tensor.Data[float32](x) {
		q := float64(zero)
		if scale != 0 {
			q = min(max(math.RoundToEven(float64(v/scale))+float64(zero), 0), 255)
		}
		y.Bytes()[i] = uint8(q)
	}
	return nil
}

// dynamicScale is the scale and zero point for values from lo to hi, zero among them.
func dynamicScale(lo, hi float32) (scale float32, zero uint8) {
	scale = (hi - lo) / 255
	if scale != 0 {
		zero = uint8(math.RoundToEven(float64(min(max(-lo/scale, 0), 255))))
	}
	return scale, zero
}

// centred is an integer tensor minus its zero point, which is one for all or one per slice of axis.
func (c *call) centred(t *tensor.Tensor, zeroAt, axis int) ([]float64, error) {
	v := floats(t)
	z := c.maybe(zeroAt)
	if z == nil {
		return v, nil
	}
	zs := z.Shape()
	zero := floats(z)
	if len(zero) > 1 && len(zs) > 1 { // one per row of a stack: MatMulInteger's A
		so, ok := broadcastShapes(zs, t.Shape())
		if !ok || !so.Equal(t.Shape()) {
			return nil, c.errorf("zero point %v does not fit %v", zs, t.Shape())
		}
		zip(v, t.Shape(), v, t.Shape(), zero, zs, func(a, b float64) float64 { return a - b })
		return v, nil
	}
	at, err := c.perAxis(t.Shape(), tensor.Shape{len(zero)}, axis, 0)
	if err != nil {
		return nil, err
	}
	for i := range v {
		v[i] -= zero[at(i)]
	}
	return v, nil
}

// evalMatMulInteger multiplies 8-bit matrices into 32-bit sums.
func evalMatMulInteger(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(1)
	if err != nil {
		return err
	}
	batch, as, bs, so, ok := matmulShapes(a.Shape(), b.Shape())
	if !ok {
		return c.errorf("%s and %s cannot be multiplied", a, b)
	}
	x, err := c.centred(a, 2, max(len(a.Shape())-2, 0))
	if err != nil {
		return err
	}
	y, err := c.centred(b, 3, len(b.Shape())-1)
	if err != nil {
		return err
	}
	out, err := c.output(0, tensor.Int32, so)
	if err != nil {
		return err
	}
	r := make([]float64, out.Len())
	matmul(x, as, y, bs, batch, r)
	setFloats(out, r)
	return nil
}

func evalConvInteger(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	w, err := c.tensor(1)
	if err != nil {
		return err
	}
	win, s, err := c.convWindow(x.Shape(), w.Shape())
	if err != nil {
		return err
	}
	a, err := c.centred(x, 2, 0)
	if err != nil {
		return err
	}
	b, err := c.centred(w, 3, 0)
	if err != nil {
		return err
	}
	out, err := c.output(0, tensor.Int32, s)
	if err != nil {
		return err
	}
	setFloats(out, convolve(a, x.Shape(), b, w.Shape(), win, c.attrInt("group", 1)))
	return nil
}

// requantize scales sums to the output's type: per element by multiplier m(i), in float32 as ONNX Runtime does.
func requantize(out *tensor.Tensor, sums []float64, m func(i int) float32, zero float64) {
	lo, hi := integerRange(out.DType())
	for i := range sums {
		sums[i] = min(max(math.RoundToEven(float64(float32(sums[i])*m(i)))+zero, lo), hi)
	}
	setFloats(out, sums)
}

// evalQLinearMatMul: inputs a, its scale and zero point, b, its, and the output's.
func evalQLinearMatMul(c *call) error {
	a, err := c.tensor(0)
	if err != nil {
		return err
	}
	b, err := c.tensor(3)
	if err != nil {
		return err
	}
	zero, err := c.tensor(7)
	if err != nil {
		return err
	}
	batch, as, bs, so, ok := matmulShapes(a.Shape(), b.Shape())
	if !ok {
		return c.errorf("%s and %s cannot be multiplied", a, b)
	}
	x, err := c.centred(a, 2, max(len(a.Shape())-2, 0))
	if err != nil {
		return err
	}
	y, err := c.centred(b, 5, len(b.Shape())-1)
	if err != nil {
		return err
	}
	var scale [3][]float64
	for i, k := range []int{1, 4, 6} {
		t, err := c.tensor(k)
		if err != nil {
			return err
		}
		scale[i] = floats(t)
	}
	n := bs[len(bs)-1]
	if len(scale[0]) != 1 || len(scale[2]) != 1 || len(scale[1]) != 1 && len(scale[1]) != n || zero.Len() != 1 {
		return c.unsupported("scales of %d, %d and %d elements", len(scale[0]), len(scale[1]), len(scale[2]))
	}
	out, err := c.output(0, zero.DType(), so)
	if err != nil {
		return err
	}
	r := make([]float64, out.Len())
	matmul(x, as, y, bs, batch, r)
	requantize(out, r, func(i int) float32 {
		return float32(scale[0][0]) * float32(scale[1][i%n%len(scale[1])]) / float32(scale[2][0])
	}, floats(zero)[0])
	return nil
}

// evalQLinearConv: inputs x, its scale and zero point, w, its, the output's, and a bias in units of the product's scale.
func evalQLinearConv(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	w, err := c.tensor(3)
	if err != nil {
		return err
	}
	zero, err := c.tensor(7)
	if err != nil {
		return err
	}
	win, s, err := c.convWindow(x.Shape(), w.Shape())
	if err != nil {
		return err
	}
	a, err := c.centred(x, 2, 0)
	if err != nil {
		return err
	}
	b, err := c.centred(w, 5, 0)
	if err != nil {
		return err
	}
	xs, err := c.floatOr(1, 1)
	if err != nil {
		return err
	}
	ys, err := c.floatOr(6, 1)
	if err != nil {
		return err
	}
	wt, err := c.tensor(4)
	if err != nil {
		return err
	}
	ws := floats(wt)
	if len(ws) != 1 && len(ws) != s[1] || zero.Len() != 1 {
		return c.errorf("weight scale %v does not fit %d channels", wt.Shape(), s[1])
	}
	out, err := c.output(0, zero.DType(), s)
	if err != nil {
		return err
	}
	r := convolve(a, x.Shape(), b, w.Shape(), win, c.attrInt("group", 1))
	n := size(win.out)
	if t := c.maybe(8); t != nil {
		bias := floats(t)
		if len(bias) != s[1] {
			return c.errorf("bias %v does not fit %d channels", t.Shape(), s[1])
		}
		for i := range r {
			r[i] += bias[i/n%s[1]]
		}
	}
	requantize(out, r, func(i int) float32 { return float32(xs) * float32(ws[i/n%s[1]%len(ws)]) / float32(ys) }, floats(zero)[0])
	return nil
}
