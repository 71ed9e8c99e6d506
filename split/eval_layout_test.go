package split

import (
	"bytes"
	"testing"
)

func TestFill(t *testing.T) {
	for _, pattern := range [][]byte{{7}, {1, 2}, {1, 2, 3, 4}, {0, 0, 0, 9, 8, 7, 6, 5}} {
		for _, n := range []int{0, 1, 3, fillBlock / len(pattern), 3*fillBlock/len(pattern) + 5} {
			dst := make([]byte, n*len(pattern))
			fill(dst, pattern)
			if !bytes.Equal(dst, bytes.Repeat(pattern, n)) {
				t.Errorf("fill of %d times %v is wrong", n, pattern)
			}
		}
	}
}
