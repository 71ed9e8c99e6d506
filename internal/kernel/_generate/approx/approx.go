// Package approx holds the polynomials that every instruction set's element-wise functions are made of: Chebyshev interpolants
// computed for package kernel, lowest coefficient first, rounded to float32.
package approx

// The polynomials.
var (
	// Exp is (exp(r)-1-r)/r^2 for |r| <= ln(2)/2.
	Exp = []float64{
		0.5, 0.1666666716337204, 0.041666463017463684, 0.00833331048488617, 0.0013933731243014336, 0.000198910798644647,
	}
	// Erf is erf(x)/x as a polynomial of x^2 for |x| <= 0.93.
	Erf = []float64{
		1.1283791065216064, -0.37612488865852356, 0.11281754076480865, -0.026763994246721268, 0.0049889059737324715,
		-0.0005967310862615705,
	}
	// Erfc is -log(erfc(x)) for 0.9 <= x <= 4.05.
	Erfc = []float64{
		-0.0003129130636807531, 1.1302059888839722, 0.6318706274032593, 0.11003928631544113, -0.026398146525025368,
		0.004751432687044144, -0.0005950237391516566, 4.583974805427715e-05, -1.6256714161499985e-06,
	}
)

const (
	// Log2E is the logarithm of e to the base 2.
	Log2E = 1.4426950408889634
	// Ln2High and Ln2Low are ln(2) in two parts, of which the first times any exponent of a float32 is exact.
	Ln2High = 0.693359375
	Ln2Low  = -2.12194440054690583e-4
	// ExpMin and ExpMax bound the argument of an exponential: beyond them it is zero or infinite.
	ExpMin, ExpMax = -104, 89
	// ErfSplit is where Erfc takes over from Erf, and ErfMax where the result is 1.
	ErfSplit, ErfMax = 0.92, 4.05
	// GELUTanhA and GELUTanhB make GELU's inner function: -2*sqrt(2/pi)*(x + 0.044715 x^3) = (A*x^2 + B)*x.
	GELUTanhB = -2 * 0.79788456080286536
	GELUTanhA = GELUTanhB * 0.044715
)
