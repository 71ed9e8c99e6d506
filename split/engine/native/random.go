package native

import (
	"hash/fnv"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// twister is the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), the generator that NumPy's seeded functions use,
// so that a seeded op draws what ONNX's reference draws.
type twister struct {
	state [624]uint32
	next  int
}

func newTwister(seed uint32) *twister {
	t := &twister{next: 624}
	t.state[0] = seed
	for i := uint32(1); i < 624; i++ {
		p := t.state[i-1]
		t.state[i] = 1812433253*(p^p>>30) + i
	}
	return t
}

func (t *twister) uint32() uint32 {
	if t.next == 624 {
		for i := range t.state {
			y := t.state[i]&0x80000000 | t.state[(i+1)%624]&0x7fffffff
			t.state[i] = t.state[(i+397)%624] ^ y>>1 ^ y&1*0x9908b0df
		}
		t.next = 0
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// float64 is uniform in [0, 1) with 53 bits.
func (t *twister) float64() float64 {
	a, b := t.uint32()>>5, t.uint32()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

// normal is a draw from the standard normal distribution (Marsaglia's polar method).
func (t *twister) normal() float64 {
	for {
		a, b := 2*t.float64()-1, 2*t.float64()-1
		if r := a*a + b*b; r < 1 && r != 0 {
			return b * math.Sqrt(-2*math.Log(r)/r)
		}
	}
}

// generator is seeded by the op's seed or, so that every node of a mesh draws the same, by its name.
func (c *call) generator() *twister {
	if s, ok := c.op.Attrs["seed"].(float32); ok {
		return newTwister(uint32(int64(s)))
	}
	if s, ok := c.op.Attrs["seed"].(int64); ok {
		return newTwister(uint32(s))
	}
	h := fnv.New32a()
	h.Write([]byte(c.op.Name))
	return newTwister(h.Sum32())
}

// evalRandom is RandomNormal and RandomUniform and their Like forms.
func evalRandom(c *call) error {
	d := tensor.DType(c.attrInt("dtype", 0))
	shape := tensor.Shape(c.attrInts("shape"))
	if len(c.op.Inputs) > 0 {
		like, err := c.tensor(0)
		if err != nil {
			return err
		}
		shape = like.Shape()
		if d == tensor.Invalid {
			d = like.DType()
		}
	}
	if d == tensor.Invalid {
		d = tensor.Float32
	}
	if !isFloat(d) {
		return c.errorf("type %s is not a float", d)
	}
	out, err := c.output(0, d, shape)
	if err != nil {
		return err
	}
	g, v := c.generator(), make([]float64, out.Len())
	normal := c.op.Type == "RandomNormal" || c.op.Type == "RandomNormalLike"
	mean, scale := c.attrFloat("mean", 0), c.attrFloat("scale", 1)
	lo, hi := c.attrFloat("low", 0), c.attrFloat("high", 1)
	for i := range v {
		if normal {
			v[i] = mean + scale*g.normal()
		} else {
			v[i] = lo + (hi-lo)*g.float64()
		}
	}
	setFloats(out, v)
	return nil
}

func evalBernoulli(c *call) error {
	p, err := c.tensor(0)
	if err != nil {
		return err
	}
	d := tensor.DType(c.attrInt("dtype", int(p.DType())))
	out, err := c.output(0, d, p.Shape())
	if err != nil {
		return err
	}
	g, v := c.generator(), floats(p)
	for i, x := range v {
		v[i] = 0
		if g.float64() < x {
			v[i] = 1
		}
	}
	setFloats(out, v)
	return nil
}

// evalMultinomial draws classes by their unnormalised log-probabilities.
func evalMultinomial(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	n := c.attrInt("sample_size", 1)
	if len(t.Shape()) != 2 || n < 0 {
		return c.errorf("needs a matrix and a sample size, not %v and %d", t.Shape(), n)
	}
	out, err := c.output(0, tensor.DType(c.attrInt("dtype", int(tensor.Int32))), tensor.Shape{t.Shape()[0], n})
	if err != nil {
		return err
	}
	g, v, k := c.generator(), floats(t), t.Shape()[1]
	r := make([]float64, 0, out.Len())
	for b := range t.Shape()[0] {
		row := v[b*k : (b+1)*k]
		softmaxRow("Softmax", row, k, 1)
		for range n {
			u, at := g.float64(), 0
			for at < k-1 && u >= row[at] {
				u -= row[at]
				at++
			}
			r = append(r, float64(at))
		}
	}
	setFloats(out, r)
	return nil
}

// evalDropout keeps everything unless it trains; then it drops with the given ratio and scales up what stays.
func evalDropout(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	ratio, err := c.floatOr(1, .5)
	if err != nil {
		return err
	}
	training, err := c.floatOr(2, 0)
	if err != nil {
		return err
	}
	if c.want(1) {
		mask, err := c.output(1, tensor.Bool, t.Shape())
		if err != nil {
			return err
		}
		for i := range mask.Bytes() {
			mask.Bytes()[i] = 1
		}
	}
	if training == 0 || ratio == 0 {
		c.set(0, t)
		return nil
	}
	out, err := c.output(0, t.DType(), t.Shape())
	if err != nil {
		return err
	}
	g, v := c.generator(), floats(t)
	for i := range v {
		keep := g.float64() >= ratio
		if keep {
			v[i] /= 1 - ratio
		} else {
			v[i] = 0
		}
		if c.want(1) {
			c.out[1].(*tensor.Tensor).Bytes()[i] = map[bool]byte{true: 1}[keep]
		}
	}
	setFloats(out, v)
	return nil
}
