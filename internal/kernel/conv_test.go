package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomConv draws the geometry of a small convolution with at least one output pixel.
func randomConv(r *rand.Rand, channels func() (c, oc, groups int)) ConvShape {
	for {
		s := ConvShape{
			N: 1 + r.IntN(2), H: 1 + r.IntN(12), W: 1 + r.IntN(12), KH: 1 + r.IntN(4), KW: 1 + r.IntN(4),
			StrideH: 1 + r.IntN(2), StrideW: 1 + r.IntN(3), DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2),
			PadTop: r.IntN(3), PadLeft: r.IntN(3),
		}
		s.C, s.OC, s.Groups = channels()
		s.OH = (s.H+s.PadTop+r.IntN(3)-(s.KH-1)*s.DilationH-1)/s.StrideH + 1
		s.OW = (s.W+s.PadLeft+r.IntN(3)-(s.KW-1)*s.DilationW-1)/s.StrideW + 1
		if s.OH > 0 && s.OW > 0 {
			return s
		}
	}
}

// convReference computes act(conv(x, w) + bias + residual) in float64, w in ONNX's order.
func convReference(s ConvShape, x, w, bias, residual []float32, act Activation) []float64 {
	ic, oc := s.C/s.Groups, s.OC/s.Groups
	var out []float64
	for n := range s.N {
		for oy := range s.OH {
			for ox := range s.OW {
				for o := range s.OC {
					var sum float64
					for kh := range s.KH {
						for kw := range s.KW {
							iy, ix := oy*s.StrideH-s.PadTop+kh*s.DilationH, ox*s.StrideW-s.PadLeft+kw*s.DilationW
							if iy < 0 || ix < 0 || iy >= s.H || ix >= s.W {
								continue
							}
							for c := range ic {
								v := x[((n*s.H+iy)*s.W+ix)*s.C+o/oc*ic+c]
								sum += float64(v) * float64(w[((o*ic+c)*s.KH+kh)*s.KW+kw])
							}
						}
					}
					if bias != nil {
						sum += float64(bias[o])
					}
					if residual != nil {
						sum += float64(residual[len(out)])
					}
					y := []float32{float32(sum)}
					act.Apply(y, y)
					out = append(out, float64(y[0]))
				}
			}
		}
	}
	return out
}

var convActs = []Activation{{}, {Kind: ActRelu}, {Kind: ActClip, A: 0, B: 1}, {Kind: ActHardSwish}}

func TestConv(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(300) {
			s := randomConv(r, func() (int, int, int) {
				g := 1 + r.IntN(3)*r.IntN(2)
				return g * (1 + r.IntN(9)), g * (1 + r.IntN(40)>>(4*r.IntN(2))), g
			})
			if r.IntN(8) == 0 {
				s.W += 150 // more than a block of columns
				s.OW = (s.W+s.PadLeft-(s.KW-1)*s.DilationW-1)/s.StrideW + 1
			}
			w := uniform(r, s.OC*s.C/s.Groups*s.KH*s.KW)
			c := &Conv{ConvShape: s, X: uniform(r, s.N*s.H*s.W*s.C), Weights: PackConv(w, s), Act: convActs[r.IntN(len(convActs))]}
			pixels := s.N * s.OH * s.OW
			var intact func()
			c.Y, intact = guarded(t, pixels*s.OC, r.IntN(16), float32(7))
			if r.IntN(2) == 0 {
				c.Bias = uniform(r, s.OC)
			}
			if r.IntN(3) == 0 {
				c.Residual = uniform(r, len(c.Y))
			}
			c.Run(0, c.Units())
			intact()
			what := fmt.Sprintf("%+v", s)
			want := convReference(s, c.X, w, c.Bias, c.Residual, c.Act)
			wantClose(t, what, c.Y, want, sumTolerance(s.C*s.KH*s.KW))
			whole := slices.Clone(c.Y)
			clear(c.Y)
			for u := c.Units() - 1; u >= 0; u-- {
				c.Run(u, u+1)
			}
			if !slices.Equal(whole, c.Y) {
				t.Fatalf("%s: units one by one differ from all at once", what)
			}
		}
	})
}

// TestConvStrides checks that a convolution can read some channels of a wide image and write some of another.
func TestConvStrides(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		s := ConvShape{
			N: 1, H: 7, W: 9, C: 5, OH: 7, OW: 9, OC: 37, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
			PadTop: 1, PadLeft: 1, Groups: 1,
		}
		const wideX, wideY = 11, 50
		w, x := uniform(r, s.OC*s.C*9), uniform(r, s.H*s.W*s.C)
		wide := uniform(r, s.H*s.W*wideX)
		for p := range s.H * s.W {
			copy(wide[p*wideX+3:], x[p*s.C:(p+1)*s.C])
		}
		y := make([]float32, s.H*s.W*wideY)
		c := &Conv{ConvShape: s, X: wide[3:], XStride: wideX, Weights: PackConv(w, s), Y: y[4:], YStride: wideY}
		c.Run(0, c.Units())
		var got []float32
		for p := range s.H * s.W {
			got = append(got, y[p*wideY+4:p*wideY+4+s.OC]...)
			if y[p*wideY+3] != 0 || y[p*wideY+4+s.OC] != 0 {
				t.Fatalf("pixel %d: wrote outside of its channels", p)
			}
		}
		wantClose(t, "strided", got, convReference(s, x, w, nil, nil, Activation{}), sumTolerance(45))
	})
}

func TestDepthwise(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := seeded(t)
		for range rounds(300) {
			s := randomConv(r, func() (int, int, int) { c := 1 + r.IntN(50); return c, c, c })
			w := uniform(r, s.C*s.KH*s.KW)
			d := &Depthwise{ConvShape: s, Weights: PackDepthwise(w, s), Act: convActs[r.IntN(len(convActs))]}
			d.X = uniform(r, s.N*s.H*s.W*s.C)
			var intact func()
			d.Y, intact = guarded(t, s.N*s.OH*s.OW*s.C, r.IntN(16), float32(7))
			if r.IntN(2) == 0 {
				d.Bias = uniform(r, s.C)
			}
			if r.IntN(3) == 0 {
				d.Residual = uniform(r, len(d.Y))
			}
			d.Run(0, d.Units())
			intact()
			want := convReference(s, d.X, w, d.Bias, d.Residual, d.Act)
			wantClose(t, fmt.Sprintf("%+v", s), d.Y, want, sumTolerance(s.KH*s.KW))
		}
	})
}

// benchConvs are layers of well-known networks.
var benchConvs = []struct {
	name string
	ConvShape
}{
	{"resnet-stem", square(224, 3, 64, 7, 2)},
	{"resnet-56x64", square(56, 64, 64, 3, 1)},
	{"resnet-14x256", square(14, 256, 256, 3, 1)},
	{"resnet-7x512", square(7, 512, 512, 3, 1)},
	{"mobilenet-112x16to96", square(112, 16, 96, 1, 1)},
	{"mobilenet-14x96to576", square(14, 96, 576, 1, 1)},
}

func square(side, c, oc, k, stride int) ConvShape {
	out := ceilDiv(side, stride)
	return ConvShape{
		N: 1, H: side, W: side, C: c, OH: out, OW: out, OC: oc, KH: k, KW: k, StrideH: stride, StrideW: stride,
		DilationH: 1, DilationW: 1, PadTop: (k - 1) / 2, PadLeft: (k - 1) / 2, Groups: 1,
	}
}

func BenchmarkConv(b *testing.B) {
	for _, bc := range benchConvs {
		b.Run(bc.name, func(b *testing.B) {
			r := seeded(b)
			s := bc.ConvShape
			c := &Conv{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.OC)}
			c.Weights = PackConv(uniform(r, s.OC*s.C*s.KH*s.KW), s)
			b.ReportAllocs()
			for b.Loop() {
				c.Run(0, c.Units())
			}
			b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

func BenchmarkDepthwise(b *testing.B) {
	for _, s := range []ConvShape{square(112, 32, 32, 3, 1), square(112, 96, 96, 3, 2), square(14, 576, 576, 3, 1)} {
		b.Run(fmt.Sprintf("%dx%d", s.H, s.C), func(b *testing.B) {
			r := seeded(b)
			d := &Depthwise{ConvShape: s, X: uniform(r, s.H*s.W*s.C), Y: make([]float32, s.OH*s.OW*s.C)}
			d.Weights = PackDepthwise(uniform(r, s.C*9), s)
			b.ReportAllocs()
			for b.Loop() {
				d.Run(0, d.Units())
			}
			b.ReportMetric(2*float64(s.OH*s.OW*s.C*9)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
