//go:build arm64 && !noasm

package rans

// decodesMany reports that this machine has the loops below: NEON belongs to every arm64.
func decodesMany() bool { return true }

//go:noescape
func decodeManyNEON(dec *uint32, states *uint32, dst, src *byte, rounds, size int) (done, used int)

//go:noescape
func decodeContextNEON(dec *uint32, states *uint32, dst, src *byte, rounds, size int, near, far *byte, nearStep, farStep int) (done, used int)

//go:noescape
func transposeNEON(dst, src *byte, length, blocks int)

// decodeRounds decodes up to rounds rounds of all lanes while roundBytes bytes of the size at src are left.
func decodeRounds(dec, states *uint32, dst, src *byte, rounds, size int) (done, used int) {
	return decodeManyNEON(dec, states, dst, src, rounds, size)
}

// decodeContextRounds is decodeRounds under contexts: row by row to dst, the neighbours' rows at near and far, which advance by
// their steps after each round.
func decodeContextRounds(dec, states *uint32, dst, src *byte, rounds, size int, near, far *byte, nearStep, farStep int) (done, used int) {
	return decodeContextNEON(dec, states, dst, src, rounds, size, near, far, nearStep, farStep)
}

// transpose writes byte lane of row t of src, rows of 32 bytes, to dst[lane*length + t], for blocks of eight rows.
func transpose(dst, src *byte, length, blocks int) { transposeNEON(dst, src, length, blocks) }
