package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Coefficients: Chebyshev interpolants computed for this package.
//
//	(exp(r)-1-r)/r^2 for |r| <= ln(2)/2
//	erf(x)/x as a polynomial of x^2 for |x| <= 0.93
//	-log(erfc(x)) for 0.9 <= x <= 4.05
var (
	expPoly = []float64{
		0.5, 0.1666666716337204, 0.041666463017463684, 0.00833331048488617, 0.0013933731243014336, 0.000198910798644647,
	}
	erfPoly = []float64{
		1.1283791065216064, -0.37612488865852356, 0.11281754076480865, -0.026763994246721268, 0.0049889059737324715,
		-0.0005967310862615705,
	}
	erfcPoly = []float64{
		-0.0003129130636807531, 1.1302059888839722, 0.6318706274032593, 0.11003928631544113, -0.026398146525025368,
		0.004751432687044144, -0.0005950237391516566, 4.583974805427715e-05, -1.6256714161499985e-06,
	}
)

const (
	log2e = 1.4426950408889634
	// ln2 in two parts, of which the first times any exponent of a float32 is exact.
	ln2High = 0.693359375
	ln2Low  = -2.12194440054690583e-4
)

// reduce writes x as n*ln(2) + r with |r| <= ln(2)/2.
func (l *lang) reduce(x VecVirtual) (n, r VecVirtual) {
	n = l.round(l.mul(x, l.num(log2e)))
	r = l.vec()
	VMOVAPS(x, r)
	VFNMADD231PS(l.num(ln2High), n, r)
	VFNMADD231PS(l.num(ln2Low), n, r)
	return n, r
}

// exp is e to the x: 2^n * (1 + r + r^2 * p(r)). Beyond the clamp the result is infinite or zero all the same.
func (l *lang) exp(x VecVirtual) VecVirtual {
	x = l.atMost(l.atLeast(x, l.set(l.num(-104))), l.set(l.num(89)))
	n, r := l.reduce(x)
	y := l.poly(r, expPoly...)
	VFMADD213PS(l.num(1), r, y)
	VFMADD213PS(l.num(1), r, y)
	return l.scale(y, n)
}

// scale is y * 2^n for integers n.
func (l *lang) scale(y, n VecVirtual) VecVirtual {
	v := l.vec()
	if l.wide() {
		VSCALEFPS(n, y, v)
		return v
	}
	// In two steps, since 2^n itself may be out of range.
	i, half := YMM(), YMM()
	VCVTPS2DQ(n, i)
	VPSRAD(Imm(1), i, half)
	VPSUBD(half, i, i)
	for _, e := range []VecVirtual{half, i} {
		VPADDD(l.bits(127), e, e)
		VPSLLD(Imm(23), e, e)
	}
	VMULPS(half, y, v)
	VMULPS(i, v, v)
	return v
}

func (l *lang) sigmoid(x VecVirtual) VecVirtual {
	e := l.exp(l.xor(x, l.bits(1<<31)))
	return l.div(l.set(l.num(1)), l.add(e, l.num(1)))
}

// silu is x / (1+exp(-x)).
func (l *lang) silu(x VecVirtual) VecVirtual {
	e := l.exp(l.xor(x, l.bits(1<<31)))
	return l.div(x, l.add(e, l.num(1)))
}

// tanh is t/(t+2) with t = exp(2|x|)-1, computed without cancellation, and x's sign.
func (l *lang) tanh(x VecVirtual) VecVirtual {
	sign := l.and(x, l.bits(1<<31))
	a := l.xor(x, sign)
	a = l.atMost(l.add(a, a), l.set(l.num(20)))
	n, r := l.reduce(a)
	y := l.poly(r, expPoly...)
	q := l.fma(l.mul(r, r), y, r) // exp(r)-1
	one := l.set(l.num(1))
	s := l.scale(one, n)
	t := l.fma(q, s, l.sub(s, one))
	return l.or(l.div(t, l.add(t, l.num(2))), sign)
}

// erf is x*P(x^2) near zero and 1-exp(-Q(|x|)) with x's sign elsewhere.
func (l *lang) erf(x VecVirtual) VecVirtual {
	near := l.mul(l.poly(l.mul(x, x), erfPoly...), x)
	sign := l.and(x, l.bits(1<<31))
	a := l.atMost(l.xor(x, sign), l.set(l.num(4.05)))
	e := l.exp(l.xor(l.poly(a, erfcPoly...), l.bits(1<<31)))
	far := l.or(l.sub(l.set(l.num(1)), e), sign)
	return l.whereLess(a, l.num(0.92), near, far)
}

func (l *lang) gelu(x VecVirtual) VecVirtual {
	e := l.erf(l.mul(x, l.num(0.70710678118654752)))
	return l.mul(l.mul(x, l.num(0.5)), l.add(e, l.num(1)))
}

// geluTanh is x * sigmoid(2u), which is x/2 * (1+tanh(u)), with u = sqrt(2/pi) * (x + 0.044715 x^3).
func (l *lang) geluTanh(x VecVirtual) VecVirtual {
	const c = -2 * 0.79788456080286536
	u := l.mul(l.mul(x, x), l.num(c*0.044715))
	u = l.mul(l.add(u, l.num(c)), x)
	return l.div(x, l.add(l.exp(u), l.num(1)))
}

func (l *lang) hardSigmoid(x VecVirtual) VecVirtual {
	v := l.fma(x, l.p, l.q)
	zero := l.vec()
	VXORPS(zero, zero, zero)
	return l.atMost(l.atLeast(v, zero), l.set(l.num(1)))
}

// maxNaN is the larger of a and b, or NaN when one is; min the same.
func (l *lang) pick(least bool, a, b VecVirtual) VecVirtual {
	v := l.vec()
	if least {
		VMINPS(a, b, v)
	} else {
		VMAXPS(a, b, v)
	}
	const unordered = 3
	if l.wide() {
		k := K()
		VCMPPS(Imm(unordered), b, b, k)
		VMOVAPS(b, k, v)
		return v
	}
	m, w := YMM(), YMM()
	VCMPPS(Imm(unordered), b, b, m)
	VBLENDVPS(m, b, v, w)
	return w
}
