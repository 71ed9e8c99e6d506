package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"

	"github.com/cleave-mesh/cleave/internal/kernel/_generate/approx"
)

// reduce writes x as n*ln(2) + r with |r| <= ln(2)/2.
func (l *lang) reduce(x VecVirtual) (n, r VecVirtual) {
	n = l.round(l.mul(x, l.num(approx.Log2E)))
	r = l.vec()
	VMOVAPS(x, r)
	VFNMADD231PS(l.num(approx.Ln2High), n, r)
	VFNMADD231PS(l.num(approx.Ln2Low), n, r)
	return n, r
}

// exp is e to the x: 2^n * (1 + r + r^2 * p(r)). Beyond the clamp the result is infinite or zero all the same.
func (l *lang) exp(x VecVirtual) VecVirtual {
	x = l.atMost(l.atLeast(x, l.set(l.num(approx.ExpMin))), l.set(l.num(approx.ExpMax)))
	n, r := l.reduce(x)
	y := l.poly(r, approx.Exp...)
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
	y := l.poly(r, approx.Exp...)
	q := l.fma(l.mul(r, r), y, r) // exp(r)-1
	one := l.set(l.num(1))
	s := l.scale(one, n)
	t := l.fma(q, s, l.sub(s, one))
	return l.or(l.div(t, l.add(t, l.num(2))), sign)
}

// erf is x*P(x^2) near zero and 1-exp(-Q(|x|)) with x's sign elsewhere.
func (l *lang) erf(x VecVirtual) VecVirtual {
	near := l.mul(l.poly(l.mul(x, x), approx.Erf...), x)
	sign := l.and(x, l.bits(1<<31))
	a := l.atMost(l.xor(x, sign), l.set(l.num(approx.ErfMax)))
	e := l.exp(l.xor(l.poly(a, approx.Erfc...), l.bits(1<<31)))
	far := l.or(l.sub(l.set(l.num(1)), e), sign)
	return l.whereLess(a, l.num(approx.ErfSplit), near, far)
}

func (l *lang) gelu(x VecVirtual) VecVirtual {
	e := l.erf(l.mul(x, l.num(0.70710678118654752)))
	return l.mul(l.mul(x, l.num(0.5)), l.add(e, l.num(1)))
}

// geluTanh is x * sigmoid(2u), which is x/2 * (1+tanh(u)), with u = sqrt(2/pi) * (x + 0.044715 x^3).
func (l *lang) geluTanh(x VecVirtual) VecVirtual {
	u := l.mul(l.mul(x, x), l.num(approx.GELUTanhA))
	u = l.mul(l.add(u, l.num(approx.GELUTanhB)), x)
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
