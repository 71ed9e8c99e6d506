package main

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/kernel/_generate/approx"
)

const signBit = 1 << 31

// exp is e to the x: 2^n * (1 + r + r^2 * p(r)) with x = n*ln(2) + r and |r| <= ln(2)/2.
func (l *lang) exp(x val) val {
	x = l.min(l.max(x, l.num(approx.ExpMin)), l.num(approx.ExpMax))
	n, r := l.reduce(x)
	y := l.poly(r, approx.Exp...)
	y = l.do(fmla, l.addend(1), r, y)
	y = l.do(fmla, l.addend(1), r, y)
	return l.scale(y, n)
}

// reduce writes x as n*ln(2) + r.
func (l *lang) reduce(x val) (n, r val) {
	n = l.do(frintn, nil, l.mul(x, l.num(approx.Log2E)))
	r = l.do(fmls, l.copy(x), l.num(approx.Ln2High), n)
	return n, l.do(fmls, r, l.num(approx.Ln2Low), n)
}

// scale is y * 2^n for integers n, in two steps since 2^n itself may be out of range.
func (l *lang) scale(y, n val) val {
	i := l.do(fcvtns, nil, n)
	half := l.do(sshr(1), nil, i)
	for _, e := range []val{half, l.do(sub, nil, i, half)} {
		y = l.mul(y, l.do(shl(23), nil, l.do(add, nil, e, l.bits(127))))
	}
	return y
}

func (l *lang) sigmoid(x val) val {
	return l.div(l.num(1), l.add(l.exp(l.do(fneg, nil, x)), l.num(1)))
}

// silu is x / (1+exp(-x)).
func (l *lang) silu(x val) val { return l.div(x, l.add(l.exp(l.do(fneg, nil, x)), l.num(1))) }

// withSign is a, which is not negative, with x's sign.
func (l *lang) withSign(a, x val) val { return l.do(orr, nil, a, l.do(and, nil, x, l.bits(signBit))) }

// tanh is t/(t+2) with t = exp(2|x|)-1, computed without cancellation, and x's sign.
func (l *lang) tanh(x val) val {
	a := l.do(fabs, nil, x)
	n, r := l.reduce(l.min(l.add(a, a), l.num(20)))
	y := l.poly(r, approx.Exp...)
	q := l.do(fmla, l.copy(r), l.mul(r, r), y) // exp(r)-1
	s := l.scale(l.num(1), n)
	t := l.fma(q, s, l.sub(s, l.num(1)))
	return l.withSign(l.div(t, l.add(t, l.num(2))), x)
}

// erf is x*P(x^2) near zero and 1-exp(-Q(|x|)) with x's sign elsewhere.
func (l *lang) erf(x val) val {
	near := l.mul(l.poly(l.mul(x, x), approx.Erf...), x)
	a := l.min(l.do(fabs, nil, x), l.num(approx.ErfMax))
	e := l.exp(l.do(fneg, nil, l.poly(a, approx.Erfc...)))
	far := l.withSign(l.sub(l.num(1), e), x)
	return l.where(l.do(fcmgt, nil, l.num(approx.ErfSplit), a), near, far)
}

func (l *lang) gelu(x val) val {
	e := l.erf(l.mul(x, l.num(math.Sqrt2/2)))
	return l.mul(l.mul(x, l.num(0.5)), l.add(e, l.num(1)))
}

// geluTanh is x * sigmoid(2u), which is x/2 * (1+tanh(u)).
func (l *lang) geluTanh(x val) val {
	u := l.mul(l.mul(x, x), l.num(approx.GELUTanhA))
	u = l.mul(l.add(u, l.num(approx.GELUTanhB)), x)
	return l.div(x, l.add(l.exp(u), l.num(1)))
}

// hardSigmoid is p*x + q between 0 and 1.
func (l *lang) hardSigmoid(x, p, q val) val {
	return l.min(l.max(l.fma(x, p, q), l.num(0)), l.num(1))
}

// leakyRelu is x < 0 ? p*x : x.
func (l *lang) leakyRelu(x, p val) val { return l.where(l.do(fcmlt0, nil, x), l.mul(x, p), x) }
