//go:build noasm || !amd64

package rans

func (t *Table) encodeMany(states *[manyLanes]uint32, src, buf []byte) int {
	return t.encodeScalar(states, manyLanes, src, buf, len(buf))
}

// encodeContextMany reports that it has not coded anything.
func (t *ContextTable) encodeContextMany(_ *[manyLanes]uint32, _ []byte, _ int, buf []byte, _ Neighbours, _ *Scratch) (at int, done bool) {
	return len(buf), false
}

// decodeMany decodes whole rounds and returns the symbols written and the bytes used; the caller decodes the rest.
func (t *Table) decodeMany(*[manyLanes]uint32, []byte, []byte) (done, used int) { return 0, 0 }

// decodeContextMany decodes rounds of all lanes and returns how many, and the bytes of words used; the caller decodes the
// rest.
func (t *ContextTable) decodeContextMany(*[manyLanes]uint32, []byte, int, []byte, Neighbours, *Scratch) (rounds, used int) {
	return 0, 0
}
