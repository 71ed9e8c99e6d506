package split

import (
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func generatorRules() []opRule {
	return []opRule{
		{"Constant", 0, 0, 1, inferConstant},
		{"ConstantOfShape", 1, 1, 1, inferConstantOfShape},
		{"Range", 3, 3, 1, inferRange},
		{"EyeLike", 1, 1, 1, func(c *opContext) error { return c.likeInput(c.dtype(0)) }},
		{"RandomNormalLike RandomUniformLike", 1, 1, 1, func(c *opContext) error { return c.likeInput(c.dtype(0)) }},
		{"Bernoulli", 1, 1, 1, func(c *opContext) error { return c.likeInput(c.dtype(0)) }},
		{"RandomNormal RandomUniform", 0, 0, 1, inferRandom},
		{"Multinomial", 1, 1, 1, inferMultinomial},
		{"BlackmanWindow HammingWindow HannWindow", 1, 1, 1, inferWindow},
		{"MelWeightMatrix", 5, 5, 1, inferMelWeightMatrix},
		{"DFT", 1, 3, 1, inferDFT},
		{"STFT", 2, 4, 1, inferSTFT},
	}
}

// attrDType is the element type that an attribute names, def when it is absent.
func (c *opContext) attrDType(name string, def tensor.DType) (tensor.DType, error) {
	n, ok := c.o.Attrs[name].(int64)
	if !ok {
		return def, nil
	}
	if d := tensor.DType(n); n > 0 && n < 256 && d.Valid() {
		return d, nil
	}
	return def, invalid("%s %d is unknown", name, n)
}

func (c *opContext) likeInput(def tensor.DType) error {
	dt, err := c.attrDType("dtype", def)
	c.out(0, dt, c.dims(0))
	return err
}

func inferConstant(c *opContext) error {
	t := c.o.Tensor("value")
	if t == nil {
		return invalid("it has no value")
	}
	c.outType(0, Type{DType: t.DType(), Shape: t.Shape().Clone()})
	return nil
}

func inferConstantOfShape(c *opContext) error {
	dt := tensor.Float32
	if t := c.o.Tensor("value"); t != nil {
		dt = t.DType()
		if t.Len() != 1 {
			return invalid("its value has %d elements, not 1", t.Len())
		}
	}
	for _, e := range c.elems(0) {
		if e.ok && (e.v < 0 || e.v > MaxElements) {
			return invalid("its shape has size %d", e.v)
		}
	}
	c.out(0, dt, c.shapeInput(0))
	return nil
}

func inferRange(c *opContext) error {
	dt, err := c.sameDType(0, 3)
	if err != nil {
		return err
	}
	out := unknownDims(1)
	start, limit, delta := c.contents(0), c.contents(1), c.contents(2)
	if start != nil && limit != nil && delta != nil {
		if n, ok := rangeCount(start, limit, delta); ok {
			out[0] = size(n)
		}
	} else if s, d := c.elems(0), c.elems(2); len(s) == 1 && len(d) == 1 && s[0] == (elem{v: 0, ok: true}) && d[0] == (elem{v: 1, ok: true}) {
		if l := c.elems(1); len(l) == 1 {
			out[0] = l[0].dim()
		}
	}
	c.out(0, dt, out)
	return nil
}

func inferRandom(c *opContext) error {
	dt, err := c.attrDType("dtype", tensor.Float32)
	if err != nil {
		return err
	}
	d := dims{}
	for _, n := range c.o.Ints("shape") {
		if n < 0 || n > MaxElements {
			return invalid("shape %v is out of range", c.o.Ints("shape"))
		}
		d = append(d, size(int(n)))
	}
	c.out(0, dt, d)
	return nil
}

func inferMultinomial(c *opContext) error {
	dt, err := c.attrDType("dtype", tensor.Int32)
	if err != nil {
		return err
	}
	out := dims{unknownDim, elem{v: c.o.Int("sample_size", 1), ok: true}.dim()}
	if x := c.dims(0); len(x) > 0 {
		out[0] = x[0]
	}
	c.out(0, dt, out)
	return nil
}

func inferWindow(c *opContext) error {
	dt, err := c.attrDType("output_datatype", tensor.Float32)
	if err != nil {
		return err
	}
	out := unknownDims(1)
	if n := c.elems(0); len(n) == 1 {
		out[0] = n[0].dim()
	}
	c.out(0, dt, out)
	return nil
}

func inferMelWeightMatrix(c *opContext) error {
	dt, err := c.attrDType("output_datatype", tensor.Float32)
	if err != nil {
		return err
	}
	out := unknownDims(2)
	if n := c.elems(1); len(n) == 1 && n[0].ok && n[0].v >= 0 && n[0].v < MaxElements {
		out[0] = size(int(n[0].v/2 + 1))
	}
	if n := c.elems(0); len(n) == 1 {
		out[1] = n[0].dim()
	}
	c.out(0, dt, out)
	return nil
}

// inferDFT transforms one dimension of a signal whose last dimension is 1 (real) or 2 (complex).
func inferDFT(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(x) < 2 {
		return invalid("input %s needs a rank of at least 2", x.shape())
	}
	out := slices.Clone(x)
	inverse, onesided := c.o.Int("inverse", 0) != 0, c.o.Int("onesided", 0) != 0
	out[len(out)-1] = size(2)
	if inverse && onesided {
		out[len(out)-1] = size(1)
	}
	axis := int64(-2)
	if c.has(2) {
		list, ok := c.ints(2)
		if !ok || len(list) != 1 {
			c.out(0, c.dtype(0), append(unknownDims(len(x)-1), out[len(out)-1]))
			return nil
		}
		axis = list[0]
	}
	a, err := axisOf(axis, len(x))
	if err != nil {
		return err
	}
	n := x[a]
	if c.has(1) {
		n = unknownDim
		if list := c.elems(1); len(list) == 1 {
			n = list[0].dim()
		}
	}
	switch {
	case onesided && !inverse && n.known():
		n = size(n.n/2 + 1)
	case onesided && inverse && !c.has(1) && n.known():
		n = size(max(2*(n.n-1), 0))
	case onesided && !n.known():
		n = unknownDim
	}
	out[a] = n
	c.out(0, c.dtype(0), out)
	return nil
}

// inferSTFT gives B x frames x bins x 2.
func inferSTFT(c *opContext) error {
	x := c.dims(0)
	out := dims{unknownDim, unknownDim, unknownDim, size(2)}
	if len(x) > 1 {
		out[0] = x[0]
	}
	frame := unknownDim
	if list := c.elems(3); len(list) == 1 {
		frame = list[0].dim()
	} else if w := c.dims(2); !c.has(3) && len(w) == 1 {
		frame = w[0]
	}
	if frame.known() {
		out[2] = frame
		if c.o.Int("onesided", 1) != 0 {
			out[2] = size(frame.n/2 + 1)
		}
		if step := c.elems(1); len(step) == 1 && step[0].ok && step[0].v > 0 && len(x) > 1 && x[1].known() && x[1].n >= frame.n {
			out[1] = size(int(int64(x[1].n-frame.n)/step[0].v) + 1)
		}
	}
	c.out(0, c.dtype(0), out)
	return nil
}
