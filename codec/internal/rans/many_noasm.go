//go:build noasm || (!amd64 && !arm64)

package rans

// decodeMany decodes whole rounds and returns the symbols written and the bytes used; the caller decodes the rest.
func (t *Table) decodeMany(*[manyLanes]uint32, []byte, []byte) (done, used int) { return 0, 0 }

// decodeContextMany decodes rounds of all lanes and returns how many, and the bytes of words used; the caller decodes the
// rest.
func (t *ContextTable) decodeContextMany(*[manyLanes]uint32, []byte, int, []byte, Neighbours, *Scratch) (rounds, used int) {
	return 0, 0
}
