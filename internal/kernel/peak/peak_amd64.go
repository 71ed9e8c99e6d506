//go:build !noasm

package peak

func fma(lanes int) func(int) {
	switch lanes {
	case 8:
		return fmaAVX2
	case 16:
		return fmaAVX512
	}
	return nil
}
