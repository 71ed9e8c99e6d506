package native

import (
	"math"
	"strconv"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalCast is Cast and CastLike.
func evalCast(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	to := tensor.DType(c.attrInt("to", 0))
	if c.op.Type == "CastLike" {
		like, err := c.tensor(1)
		if err != nil {
			return err
		}
		to = like.DType()
	}
	if !to.Valid() {
		return c.errorf("element type %d is unknown", uint8(to))
	}
	out, err := c.output(0, to, t.Shape())
	if err != nil {
		return err
	}
	return c.convert(out, t)
}

// convert stores t's elements in out, as the language's conversions do: to nearest even among floats, towards zero to
// integers.
func (c *call) convert(out, t *tensor.Tensor) error {
	from, to := t.DType(), out.DType()
	switch {
	case from == to:
		copy(out.Bytes(), t.Bytes())
		copy(out.Strings(), t.Strings())
	case from == tensor.String:
		return c.parse(out, t.Strings())
	case to == tensor.String:
		return c.format(out.Strings(), t)
	case from.Bits() == 64 && isInteger(from) && isInteger(to) && to.Bits() >= 8: // float64 would lose bits
		v := tensor.Data[int64](t)
		switch to {
		case tensor.Uint64, tensor.Int64:
			copy(tensor.Data[int64](out), v)
		default:
			setInts(out, v)
		}
	case smallFloatOf(to) != nil:
		f, saturate := smallFloatOf(to), c.attrInt("saturate", 1) == 1
		for i, v := range floats(t) {
			out.Bytes()[i] = f.encode(v, saturate)
		}
	default:
		setFloats(out, floats(t))
	}
	return nil
}

func (c *call) parse(out *tensor.Tensor, text []string) error {
	v := make([]float64, len(text))
	for i, s := range text {
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return c.errorf("%q is not a number", s)
		}
		if isInteger(out.DType()) {
			f = math.Trunc(f)
		}
		v[i] = f
	}
	setFloats(out, v)
	return nil
}

// format writes numbers as NumPy prints them: the fewest digits that tell them apart.
func (c *call) format(out []string, t *tensor.Tensor) error {
	if t.DType() == tensor.Complex64 || t.DType() == tensor.Complex128 {
		return c.unsupported("complex numbers as strings")
	}
	bits := 32
	if t.DType() == tensor.Float64 {
		bits = 64
	}
	for i, v := range floats(t) {
		switch {
		case t.DType() == tensor.Bool:
			out[i] = map[bool]string{false: "False", true: "True"}[v != 0]
		case isInteger(t.DType()):
			out[i] = strconv.FormatInt(int64(v), 10)
		case v != v:
			out[i] = "NaN"
		case math.IsInf(v, 0):
			out[i] = map[bool]string{false: "-INF", true: "INF"}[v > 0]
		case v != 0 && (math.Abs(v) < 1e-4 || math.Abs(v) >= 1e16):
			out[i] = strconv.FormatFloat(v, 'e', -1, bits)
		default:
			out[i] = strconv.FormatFloat(v, 'f', -1, bits)
		}
	}
	return nil
}
