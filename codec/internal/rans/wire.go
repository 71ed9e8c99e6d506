package rans

import "math/bits"

// AppendFreq appends frequencies as a bit string: the first and the last symbol in 8 bits each, then per symbol between
// them the number of significant bits in 4 bits and those below the leading one. They sum to Scale.
func AppendFreq(dst []byte, freq *[256]uint16) []byte {
	first, last := 0, 255
	for freq[first] == 0 {
		first++
	}
	for freq[last] == 0 {
		last--
	}
	dst = append(dst, byte(first), byte(last))
	var acc uint64
	var have int
	put := func(v uint64, n int) {
		acc |= v << have
		have += n
		for have >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			have -= 8
		}
	}
	for _, f := range freq[first : last+1] {
		n := bits.Len16(f)
		put(uint64(n), 4)
		if n > 1 {
			put(uint64(f)&(1<<(n-1)-1), n-1)
		}
	}
	if have > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

// ParseFreq reads what AppendFreq wrote and returns the number of bytes used. It fails with ErrCorrupt unless the
// frequencies are those of at least two symbols and sum to Scale.
func ParseFreq(freq *[256]uint16, src []byte) (int, error) {
	*freq = [256]uint16{}
	if len(src) < 2 || src[0] >= src[1] {
		return 0, ErrCorrupt
	}
	at, have := 2, 0
	var acc uint64
	get := func(n int) uint64 {
		for have < n {
			if at < len(src) {
				acc |= uint64(src[at]) << have
			}
			at++
			have += 8
		}
		v := acc & (1<<n - 1)
		acc >>= n
		have -= n
		return v
	}
	sum := 0
	for s := int(src[0]); s <= int(src[1]); s++ {
		n := int(get(4))
		if n > ScaleBits {
			return 0, ErrCorrupt
		}
		if n > 0 {
			freq[s] = uint16(1<<(n-1) | get(n-1))
		}
		sum += int(freq[s])
	}
	if at > len(src) || sum != Scale || freq[src[0]] == 0 || freq[src[1]] == 0 {
		return 0, ErrCorrupt
	}
	return at, nil
}
