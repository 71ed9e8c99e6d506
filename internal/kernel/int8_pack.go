package kernel

// PackedInt8 is a K×N matrix of 8-bit integers, packed for the integer product: panels of columns, each panel groups of four
// rows, each group four consecutive bytes per column; K is padded to a multiple of four with zeros. Unsigned matrices
// are stored minus 128. It is read-only once packed and can be shared.
type PackedInt8 struct {
	K, N   int
	isa    ISA
	panel  int
	groups int     // K/4, rounded up
	data   []int8  // panels
	sums   []int32 // per column, the sum over k of (element - zero point)
	zeros  []int32 // per column, the zero point of the stored bytes
	// shifted is whether any zero point is not zero.
	shifted bool
}

// int8Panel is the columns of a panel of the integer product.
func int8Panel(isa ISA) int {
	switch {
	case isa >= AVX512:
		return 32
	case isa >= AVX2:
		return 16
	}
	return 8
}

// PackInt8 packs the K×N matrix of bytes b, whose element (k, n) is b[k*ld+n], or b[n*ld+k] when trans is set. unsigned
// says that the bytes are uint8. zero holds one zero point, or one per column, or none.
func PackInt8(b []byte, k, n, ld int, trans, unsigned bool, zero []int32) *PackedInt8 {
	p := &PackedInt8{K: k, N: n, isa: active, panel: int8Panel(active), groups: ceilDiv(k, 4)}
	p.data = make([]int8, ceilDiv(n, p.panel)*p.panel*p.groups*4)
	p.sums, p.zeros = make([]int32, n), make([]int32, n)
	for j := range n {
		switch {
		case len(zero) == 1:
			p.zeros[j] = zero[0]
		case len(zero) > 1:
			p.zeros[j] = zero[j]
		}
		if unsigned {
			p.zeros[j] -= 128
		}
		p.shifted = p.shifted || p.zeros[j] != 0
		panel := p.data[j/p.panel*p.panel*p.groups*4:]
		for i := range k {
			at := i*ld + j
			if trans {
				at = j*ld + i
			}
			v := int8(b[at])
			if unsigned {
				v = int8(b[at] - 128)
			}
			panel[(i/4*p.panel+j%p.panel)*4+i%4] = v
			p.sums[j] += int32(v) - p.zeros[j]
		}
	}
	return p
}

// Bytes is the memory that p holds.
func (p *PackedInt8) Bytes() int64 { return int64(len(p.data)) + int64(len(p.sums)+len(p.zeros))*4 }
