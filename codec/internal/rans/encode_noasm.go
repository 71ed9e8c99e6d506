//go:build noasm || !amd64

package rans

// encodeMany writes words down from buf's end and returns where they begin.
func (t *Table) encodeMany(states *[manyLanes]uint32, src, buf []byte) int {
	return t.encodeScalar(states, manyLanes, src, buf, len(buf))
}

// encodeContextMany reports that it has not coded anything.
func (t *ContextTable) encodeContextMany(_ *[manyLanes]uint32, _ []byte, _ int, buf []byte, _ Neighbours, _ *Scratch) (at int, done bool) {
	return len(buf), false
}
