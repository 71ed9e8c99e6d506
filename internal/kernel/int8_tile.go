package kernel

import "unsafe"

// int8Args is one call of the integer inner loop, for up to tileRows rows of A by one panel of B:
//
//	C[r][j] = sum over taps t, k < 4*groups: A[t][r][k] * B[t*4*groups+k][j]
//
// with A unsigned and B signed bytes, and int32 sums that wrap. The assembly knows the offsets of the fields.
type int8Args struct {
	rows   *uintptr       // taps*tileRows addresses to uint8; 0
	b      unsafe.Pointer // 8
	c      unsafe.Pointer // tileRows × panel int32; 16
	taps   uintptr        // 24
	groups uintptr        // of one tap; 32
}

// int8TileGeneric is the inner loop in plain Go.
func int8TileGeneric(a *int8Args, rows, panel int) {
	taps := unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(a.rows)), int(a.taps)*tileRows)
	groups := int(a.groups)
	b := unsafe.Slice((*int8)(a.b), int(a.taps)*groups*panel*4)
	c := unsafe.Slice((*int32)(a.c), tileRows*panel)
	for r := range rows {
		acc := c[r*panel : (r+1)*panel]
		clear(acc)
		for t := range int(a.taps) {
			if groups == 0 {
				break // and the addresses mean nothing
			}
			x := unsafe.Slice((*uint8)(taps[t*tileRows+r]), groups*4)
			for g := range groups {
				x0, x1, x2, x3 := int32(x[g*4]), int32(x[g*4+1]), int32(x[g*4+2]), int32(x[g*4+3])
				w := b[(t*groups+g)*panel*4:]
				for j := range acc {
					q := w[j*4 : j*4+4]
					acc[j] += x0*int32(q[0]) + x1*int32(q[1]) + x2*int32(q[2]) + x3*int32(q[3])
				}
			}
		}
	}
}
