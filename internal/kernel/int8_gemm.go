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
	if isa == AVX512VNNI {
		return macs / 96
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
			rows[m-m0] = unsafe.Pointer(&src[0])
			continue
		}
		dst := buf[(m-m0)*width : (m-m0+1)*width]
		toUnsigned(dst[:k], src, g.ASigned)
		clear(dst[k:])
		rows[m-m0] = unsafe.Pointer(&dst[0])
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
			sums[i] = sumUint8(unsafe.Slice((*uint8)(s.rows[i]), b.K))
		}
	}
	a := &s.int8
	*a = int8Args{taps: 1, groups: uintptr(b.groups), c: unsafe.Pointer(&c[0])}
	for n := n0; n < n1; n += b.panel {
		if b.groups > 0 {
			a.b = unsafe.Pointer(&b.data[n*width])
		}
		cols := min(b.panel, n1-n)
		for m := m0; m < m1; m += tileRows {
			a.rows = &s.rows[m-m0]
			rows := min(tileRows, m1-m)
			int8Tile(b.isa, a, rows, b.panel)
			for r := range rows {
				out.write(s, c[r*b.panel:r*b.panel+cols], b, m+r, n, base, zero, sums[m+r-m0])
			}
		}
	}
}

// write takes the raw sums of row m from column n of b on to the output, whose columns begin at column base. aSum is the sum
// of the row's bytes, needed when B has zero points.
func (o *Int8Output) write(s *scratch, acc []int32, b *PackedInt8, m, n, base int, zero, aSum int32) {
	// sum (a-za)(b-zb) = sum a*b - za*sum(b-zb) - zb*sum a
	for j := range acc {
		acc[j] -= zero * b.sums[n+j]
	}
	if b.shifted {
		for j := range acc {
			acc[j] -= b.zeros[n+j] * aSum
		}
	}
	n += base
	if o.Sum0 != nil {
		for j := range acc {
			acc[j] += o.Sum0[n+j]
		}
	}
	at := m*o.LDC + n
	if o.Int32 != nil {
		copy(o.Int32[at:at+len(acc)], acc)
		return
	}
	y := grow(&s.f32b, len(acc))
	if o.Float32 != nil {
		y = o.Float32[at : at+len(acc)]
	}
	scale := o.Scale[0]
	for j, v := range acc {
		if len(o.Scale) > 1 {
			scale = o.Scale[n+j]
		}
		y[j] = float32(v) * scale
		if o.Bias != nil {
			y[j] += o.Bias[n+j]
		}
	}
	if o.Act.Kind != ActNone {
		o.Act.Apply(y, y)
	}
	if o.Float32 != nil {
		return
	}
	dst := o.Bytes[at : at+len(acc)]
	if o.Signed {
		for j, v := range y {
			dst[j] = uint8(int8(roundSaturate(v, o.Zero, -128, 127)))
		}
		return
	}
	for j, v := range y {
		dst[j] = uint8(roundSaturate(v, o.Zero, 0, 255))
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
