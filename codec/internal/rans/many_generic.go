package rans

func (t *Table) encodeMany(states *[manyLanes]uint32, src, buf []byte) int {
	return t.encodeScalar(states, manyLanes, src, buf, len(buf))
}

// decodeMany decodes whole rounds and returns the symbols written and the bytes used; the caller decodes the rest.
func (t *Table) decodeMany(*[manyLanes]uint32, []byte, []byte) (done, used int) { return 0, 0 }
