package member

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cleave-mesh/cleave/transport/admit"
)

const (
	metaVersion = 1
	flagRelay   = 1
	// MaxName is the most bytes of a node's name.
	MaxName = 64
	// maxMetaAddrs is the most addresses in a node's metadata.
	maxMetaAddrs = 16
)

// errWire is wrapped by every error about malformed bytes of a peer.
var errWire = errors.New("malformed gossip")

// meta is what every node knows of every other at once.
type meta struct {
	role  admit.Role
	relay bool // relays for others
	name  string
	addrs []string
}

// append adds the wire form, leaving out addresses that would make it longer than limit.
func (m meta) append(dst []byte, limit int) []byte {
	var flags byte
	if m.relay {
		flags |= flagRelay
	}
	dst = append(dst, metaVersion, byte(m.role), flags, byte(len(m.name)))
	dst = append(dst, m.name...)
	count := len(dst)
	dst = append(dst, 0)
	for _, a := range m.addrs {
		if len(dst)+2+len(a) > limit || dst[count] == maxMetaAddrs {
			break
		}
		dst[count]++
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(a)))
		dst = append(dst, a...)
	}
	return dst
}

func parseMeta(b []byte) (meta, error) {
	if len(b) < 5 || b[0] != metaVersion || int(b[3]) > MaxName || len(b) < 5+int(b[3]) {
		return meta{}, fmt.Errorf("metadata of %d bytes: %w", len(b), errWire)
	}
	m := meta{role: admit.Role(b[1]), relay: b[2]&flagRelay != 0, name: string(b[4 : 4+int(b[3])])}
	b = b[4+int(b[3]):]
	n := int(b[0])
	b = b[1:]
	if n > maxMetaAddrs {
		return meta{}, fmt.Errorf("metadata with %d addresses, limit %d: %w", n, maxMetaAddrs, errWire)
	}
	for range n {
		if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
			return meta{}, fmt.Errorf("metadata is cut off: %w", errWire)
		}
		l := int(binary.BigEndian.Uint16(b))
		m.addrs = append(m.addrs, string(b[2:2+l]))
		b = b[2+l:]
	}
	if len(b) != 0 {
		return meta{}, fmt.Errorf("metadata has %d bytes too many: %w", len(b), errWire)
	}
	return m, nil
}
