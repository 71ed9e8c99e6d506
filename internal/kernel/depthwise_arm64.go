//go:build !noasm

package kernel

import "unsafe"

// depthwise adds one kernel position at a time to a row of channels, four lanes in assembly and the rest fused in Go.
func depthwise(isa ISA, a *depthwiseArgs) {
	if isa < NEON {
		depthwiseGeneric(a)
		return
	}
	channels := int(a.channels / 4)
	for p := range a.pixels {
		y := unsafe.Slice((*float32)(unsafe.Add(a.y, p*a.channels)), channels)
		copy(y, unsafe.Slice((*float32)(a.bias), channels))
		for i := range a.kh {
			for j := range a.kw {
				x := unsafe.Slice((*float32)(unsafe.Add(a.x, p*a.stepX+i*a.rowX+j*a.colX)), channels)
				w := unsafe.Slice((*float32)(unsafe.Add(a.w, i*a.rowW+j*a.channels)), channels)
				c := channels &^ (lanesNEON - 1)
				if c > 0 {
					depthwiseNEON(&y[0], &x[0], &w[0], c/lanesNEON)
				}
				for ; c < channels; c++ {
					y[c] += x[c] * w[c]
				}
			}
		}
		Clip(y, y, a.lo, a.hi)
	}
}
