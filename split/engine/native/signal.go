package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalWindow is Hann, Hamming and Blackman windows.
func evalWindow(c *call) error {
	n, err := c.intOr(0, 0)
	if err != nil {
		return err
	}
	if n < 0 {
		return c.errorf("size %d is negative", n)
	}
	out, err := c.output(0, tensor.DType(c.attrInt("output_datatype", int(tensor.Float32))), tensor.Shape{n})
	if err != nil {
		return err
	}
	period := float64(n)
	if c.attrInt("periodic", 1) == 0 {
		period--
	}
	v := make([]float64, n)
	for i := range v {
		a := 2 * math.Pi * float64(i) / period
		switch c.op.Type {
		case "HannWindow":
			v[i] = .5 - .5*math.Cos(a)
		case "HammingWindow":
			v[i] = 25.0/46 - 21.0/46*math.Cos(a)
		default:
			v[i] = .42 - .5*math.Cos(a) + .08*math.Cos(2*a)
		}
	}
	setFloats(out, v)
	return nil
}

// fourier is the discrete Fourier transform of x: by radix 2 for powers of two (Cooley and Tukey, 1965), by definition
// otherwise. sign is -1 forwards and 1 backwards, where the caller divides by the length.
func fourier(x []complex128, sign float64) []complex128 {
	n := len(x)
	if n == 1 {
		return []complex128{x[0]}
	}
	out := make([]complex128, n)
	if n%2 != 0 {
		for k := range out {
			for i, v := range x {
				out[k] += v * rotation(sign*2*math.Pi*float64(i*k%n)/float64(n))
			}
		}
		return out
	}
	even, odd := make([]complex128, n/2), make([]complex128, n/2)
	for i := range even {
		even[i], odd[i] = x[2*i], x[2*i+1]
	}
	even, odd = fourier(even, sign), fourier(odd, sign)
	for k := range even {
		t := rotation(sign*2*math.Pi*float64(k)/float64(n)) * odd[k]
		out[k], out[k+n/2] = even[k]+t, even[k]-t
	}
	return out
}

// evalDFT transforms along an axis of a signal whose last dimension is real or complex parts.
func evalDFT(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	s := x.Shape()
	rank := len(s)
	if rank < 2 || s[rank-1] != 1 && s[rank-1] != 2 {
		return c.errorf("the last dimension of %v must be 1 (real) or 2 (complex)", s)
	}
	def := -2
	if a, ok := c.op.Attrs["axis"].(int64); ok {
		def = int(a)
	}
	a, err := c.intOr(2, def)
	if err != nil {
		return err
	}
	axis, err := c.axis(a, rank)
	if err != nil {
		return err
	}
	if axis == rank-1 {
		return c.errorf("axis %d holds the complex parts", axis)
	}
	n, err := c.intOr(1, s[axis])
	if err != nil {
		return err
	}
	inverse, oneSided := c.attrInt("inverse", 0) == 1, c.attrInt("onesided", 0) == 1
	if n < 1 || oneSided && inverse && s[rank-1] != 2 {
		return c.errorf("length %d is not valid", n)
	}
	bins, parts := n, 2
	switch {
	case oneSided && !inverse:
		bins = n/2 + 1
	case oneSided && inverse:
		parts = 1
		if !c.has(1) {
			n = 2 * (s[axis] - 1)
			bins = n
		}
	}
	os := s.Clone()
	os[axis], os[rank-1] = bins, parts
	out, err := c.output(0, x.DType(), os)
	if err != nil {
		return err
	}
	v, r := floats(x), make([]float64, out.Len())
	outer, k, inner := blocks(s[:rank-1], axis)
	line := make([]complex128, n)
	sign := -1.0
	if inverse {
		sign = 1
	}
	for o := range outer {
		for i := range inner {
			clear(line)
			for j := range min(n, k) {
				at := ((o*k+j)*inner + i) * s[rank-1]
				line[j] = complex(v[at], 0)
				if s[rank-1] == 2 {
					line[j] = complex(v[at], v[at+1])
				}
			}
			if oneSided && inverse { // the other half is the conjugate
				for j := n/2 + 1; j < n; j++ {
					p := line[n-j]
					line[j] = complex(real(p), -imag(p))
				}
			}
			for j, f := range fourier(line, sign)[:bins] {
				at := ((o*bins+j)*inner + i) * parts
				if inverse {
					f /= complex(float64(n), 0)
				}
				r[at] = real(f)
				if parts == 2 {
					r[at+1] = imag(f)
				}
			}
		}
	}
	setFloats(out, r)
	return nil
}

// evalSTFT transforms windows of a signal (batch, length, 1 or 2).
func evalSTFT(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	step, err := c.intOr(1, 0)
	if err != nil {
		return err
	}
	s := x.Shape()
	if len(s) == 2 {
		s = append(s.Clone(), 1)
	}
	if len(s) != 3 || step < 1 {
		return c.errorf("signal %v or step %d is not valid", s, step)
	}
	var window []float64
	n := s[1]
	if t := c.maybe(2); t != nil {
		window, n = floats(t), t.Len()
	}
	if n, err = c.intOr(3, n); err != nil {
		return err
	}
	if n < 1 || n > s[1] || window != nil && len(window) != n {
		return c.errorf("frames of %d samples do not fit %v", n, s)
	}
	bins := n
	if c.attrInt("onesided", 1) == 1 {
		bins = n/2 + 1
	}
	frames := (s[1]-n)/step + 1
	out, err := c.output(0, x.DType(), tensor.Shape{s[0], frames, bins, 2})
	if err != nil {
		return err
	}
	v, r, line, o := floats(x), make([]float64, out.Len()), make([]complex128, n), 0
	for b := range s[0] {
		for f := range frames {
			for j := range line {
				at := (b*s[1] + f*step + j) * s[2]
				line[j] = complex(v[at], 0)
				if s[2] == 2 {
					line[j] = complex(v[at], v[at+1])
				}
				if window != nil {
					line[j] *= complex(window[j], 0)
				}
			}
			for _, z := range fourier(line, -1)[:bins] {
				r[o], r[o+1] = real(z), imag(z)
				o += 2
			}
		}
	}
	setFloats(out, r)
	return nil
}

// evalMelWeights makes the triangles that map spectrum bins to mel bands.
func evalMelWeights(c *call) error {
	var p [5]float64
	var err error
	for i := range p {
		if p[i], err = c.floatOr(i, 0); err != nil {
			return err
		}
	}
	bands, length, rate, lo, hi := int(p[0]), int(p[1]), p[2], p[3], p[4]
	if bands < 1 || length < 1 || rate <= 0 {
		return c.errorf("bands %d, length %d and rate %g are not valid", bands, length, rate)
	}
	bins := length/2 + 1
	out, err := c.output(0, tensor.DType(c.attrInt("output_datatype", int(tensor.Float32))), tensor.Shape{bins, bands})
	if err != nil {
		return err
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	first, step := mel(lo), (mel(hi)-mel(lo))/float64(bands+2)
	edges := make([]int, bands+2)
	for i := range edges {
		f := 700 * (math.Pow(10, (first+float64(i)*step)/2595) - 1)
		edges[i] = int(math.Floor(float64(length+1) * f / rate))
	}
	v := make([]float64, out.Len())
	for b := range bands {
		l, m, h := edges[b], edges[b+1], edges[b+2]
		if m == l {
			if m >= 0 && m < bins {
				v[m*bands+b] = 1
			}
		} else {
			for j := l; j <= m && j < bins; j++ {
				v[j*bands+b] = float64(j-l) / float64(m-l)
			}
		}
		if h > m {
			for j := m; j < h && j < bins; j++ {
				v[j*bands+b] = float64(h-j) / float64(h-m)
			}
		}
	}
	setFloats(out, v)
	return nil
}
