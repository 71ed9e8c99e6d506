package kernel

import "unsafe"

// Int8Output says what becomes of the int32 sums of an integer product. Exactly one of the slices is set; rows are LDC apart.
type Int8Output struct {
	Int32   []int32   // the sums (ConvInteger, MatMulInteger)
	Float32 []float32 // act(sum*scale + Bias)
	Bytes   []uint8   // saturate(round(act(sum*scale + Bias)) + Zero): uint8, or int8 when Signed
	LDC     int
	Scale   []float32 // one, or one per column: input scale times weight scale, divided by the output's scale for Bytes
	Bias    []float32 // per column in units of the result before Zero, or nil
	// Sum0 is added to the sums, per column: a quantised bias; nil for none.
	Sum0   []int32
	Zero   int32
	Signed bool
	Act    Activation
}

// Int8Gemm is the task C = (A - AZero) × B in integers: A is M×K bytes, B is packed with its own zero points.
type Int8Gemm struct {
	M       int
	A       []byte // element (m, k) at A[m*LDA+k]
	LDA     int
	ASigned bool // A is int8
	AZero   int32
	B       *PackedInt8
	Out     Int8Output
}

// Units implements pool.Task.
func (g *Int8Gemm) Units() int { return ceilDiv(g.M, blockRows) * ceilDiv(g.B.N, blockCols) }

// Nanos implements pool.Task.
func (g *Int8Gemm) Nanos() int { return int8Nanos(g.B.isa, g.M*g.B.N*g.B.K) }

func int8Nanos(isa ISA, macs int) int {
	switch isa {
	case AVX512VNNI:
		return macs / 96
	case NEONDot:
		return macs / 24
	}
	return productNanos(isa, macs, 1, 1)
}

// Run implements pool.Task.
func (g *Int8Gemm) Run(lo, hi int) {
	if g.M == 0 || g.B.N == 0 {
		return
	}
	mBlocks := ceilDiv(g.M, blockRows)
	s := getScratch()
	defer s.free()
	hold(s, 0, g.A)
	for u := lo; u < hi; u++ {
		m0, n0 := u%mBlocks*blockRows, u/mBlocks*blockCols
		g.block(s, m0, min(m0+blockRows, g.M), n0, min(n0+blockCols, g.B.N))
	}
}

func (g *Int8Gemm) block(s *scratch, m0, m1, n0, n1 int) {
	k, width := g.B.K, g.B.groups*4
	rows := grow(&s.rows, ceilDiv(m1-m0, tileRows)*tileRows)
	// Rows that are signed or whose length is not a whole number of groups are copied.
	copied := g.ASigned || k%4 != 0
	buf := grow(&s.u8, (m1-m0)*width+1)
	zero := g.AZero
	if g.ASigned {
		zero += 128
	}
	for m := m0; m < m1 && k > 0; m++ {
		src := g.A[m*g.LDA : m*g.LDA+k]
		if !copied {
			rows[m-m0] = address(&src[0])
			continue
		}
		dst := buf[(m-m0)*width : (m-m0+1)*width]
		toUnsigned(dst[:k], src, g.ASigned)
		clear(dst[k:])
		rows[m-m0] = address(&dst[0])
	}
	int8Block(s, g.B, &g.Out, m0, m1, n0, n1, 0, zero)
}

// int8Block computes rows m0 to m1-1, whose unsigned bytes s.rows points to, and columns n0 to n1-1; columns of the output
// begin at column base.
func int8Block(s *scratch, b *PackedInt8, out *Int8Output, m0, m1, n0, n1, base int, zero int32) {
	width := b.groups * 4
	buf := grow(&s.i32, m1-m0+tileRows*b.panel)
	sums, c := buf[:m1-m0], buf[m1-m0:]
	clear(sums)
	if b.shifted && b.K > 0 {
		for i := range sums {
			sums[i] = sumUint8(unsafe.Slice(*(**uint8)(unsafe.Pointer(&s.rows[i])), b.K))
		}
	}
	a := &s.int8
	*a = int8Args{taps: 1, groups: uintptr(b.groups), c: unsafe.Pointer(&c[0])}
	for n := n0; n < n1; n += b.panel {
		if b.groups > 0 {
			a.b = unsafe.Pointer(&b.data[n*width])
		}
		p := int8Panels{Int8Output: out, b: b, n: n, cols: min(b.panel, n1-n), base: base}
		p.prepare(s, zero)
		for m := m0; m < m1; m += tileRows {
			a.rows = &s.rows[m-m0]
			rows := min(tileRows, m1-m)
			int8Tile(b.isa, a, rows, b.panel)
			for r := range rows {
				p.write(c[r*b.panel:(r+1)*b.panel], m+r, sums[m+r-m0])
			}
		}
	}
}

// int8Panels is an Int8Output made ready for the columns of one panel of b: every factor is as wide as the panel.
type int8Panels struct {
	*Int8Output
	b             *PackedInt8
	n, cols, base int
	shift, zeros  []int32   // what to add to a sum, and the zero points of b
	scale, bias   []float32 // of a sum
	y             []float32 // one row of results
}

// prepare fills the factors. zero is the zero point of A.
//
//	sum (a-za)(b-zb) = sum a*b - za*sum(b-zb) - zb*sum a
func (p *int8Panels) prepare(s *scratch, zero int32) {
	w := p.b.panel
	ints, floats := grow(&s.panelInts, 2*w), grow(&s.panelFloats, 3*w)
	clear(ints)
	clear(floats)
	p.shift, p.zeros = ints[:w], ints[w:]
	p.scale, p.bias, p.y = floats[:w], floats[w:2*w], floats[2*w:]
	at := p.base + p.n
	for j := range p.cols {
		p.shift[j] = -zero * p.b.sums[p.n+j]
		if p.Sum0 != nil {
			p.shift[j] += p.Sum0[at+j]
		}
	}
	copy(p.zeros, p.b.zeros[p.n:p.n+p.cols])
	switch {
	case len(p.Scale) == 1:
		for j := range p.cols {
			p.scale[j] = p.Scale[0]
		}
	case len(p.Scale) > 1:
		copy(p.scale, p.Scale[at:at+p.cols])
	}
	if p.Bias != nil {
		copy(p.bias, p.Bias[at:at+p.cols])
	}
}

// write takes the raw sums of row m to the output. aSum is the sum of the row's bytes, needed when B has zero points.
func (p *int8Panels) write(acc []int32, m int, aSum int32) {
	at := m*p.LDC + p.base + p.n
	if p.Int32 != nil {
		for j, v := range acc[:p.cols] {
			p.Int32[at+j] = v + p.shift[j] - p.zeros[j]*aSum
		}
		return
	}
	i := vecInt8Scale(p.y, acc, p.shift, p.zeros, p.scale, p.bias, aSum)
	for ; i < len(p.y); i++ {
		p.y[i] = float32(acc[i]+p.shift[i]-p.zeros[i]*aSum)*p.scale[i] + p.bias[i]
	}
	y := p.y[:p.cols]
	if p.Act.Kind != ActNone {
		p.Act.Apply(y, y)
	}
	switch {
	case p.Float32 != nil:
		copy(p.Float32[at:at+p.cols], y)
	case p.Signed:
		quantize(p.Bytes[at:at+p.cols], y, 1, p.Zero, -128, 127)
	default:
		quantize(p.Bytes[at:at+p.cols], y, 1, p.Zero, 0, 255)
	}
}

// toUnsigned copies bytes, adding 128 to signed ones.
func toUnsigned(dst, src []byte, signed bool) {
	if !signed {
		copy(dst, src)
		return
	}
	for i, v := range src[:len(dst)] {
		dst[i] = v ^ 0x80
	}
}

func sumUint8(x []byte) int32 {
	var s int32
	for _, v := range x {
		s += int32(v)
	}
	return s
}
