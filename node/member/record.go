package member

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
)

// Limits of records.
const (
	// MaxKey is the most bytes of a record's key, MaxValue of its value.
	MaxKey   = 64
	MaxValue = 256 << 10
	// MaxKeys is the most records that one node may have.
	MaxKeys = 64
)

const (
	recordTag   = "cleave record\x00"
	recordFixed = 32 + 8 + 1 + 4 + ed25519.SignatureSize
)

// Record is a piece of one node's state. The value belongs to the store: read it, do not change it.
type Record struct {
	Node    transport.PeerID
	Key     string
	Version uint64
	Value   []byte

	public    admit.Key
	signature [ed25519.SignatureSize]byte
}

func (r *Record) appendSigned(dst []byte) []byte {
	dst = append(dst, r.public[:]...)
	dst = binary.BigEndian.AppendUint64(dst, r.Version)
	dst = append(dst, byte(len(r.Key)))
	dst = append(dst, r.Key...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(r.Value)))
	return append(dst, r.Value...)
}

func (r *Record) append(dst []byte) []byte {
	return append(r.appendSigned(dst), r.signature[:]...)
}

// genuine checks the owner's signature.
func (r *Record) genuine() bool {
	return r.Node.Verify(recordTag, r.appendSigned(nil), r.signature[:])
}

// parseRecord reads one record and returns what follows it. It checks form, not the signature.
func parseRecord(b []byte) (Record, []byte, error) {
	e, b, err := parseEntry(b)
	if err != nil {
		return Record{}, nil, err
	}
	if len(b) < 4 {
		return Record{}, nil, fmt.Errorf("record is cut off: %w", errWire)
	}
	n := int(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n > MaxValue {
		return Record{}, nil, fmt.Errorf("record of %d bytes, limit %d: %w", n, MaxValue, errWire)
	}
	if len(b) < n+ed25519.SignatureSize {
		return Record{}, nil, fmt.Errorf("record is cut off: %w", errWire)
	}
	id, err := transport.PeerIDOf(e.node[:])
	if err != nil {
		return Record{}, nil, fmt.Errorf("record: %w", err)
	}
	r := Record{Node: id, Key: e.key, Version: e.version, Value: append([]byte(nil), b[:n]...), public: e.node}
	copy(r.signature[:], b[n:])
	return r, b[n+ed25519.SignatureSize:], nil
}

// entry names a record's version.
type entry struct {
	node    admit.Key
	version uint64
	key     string
}

func (e entry) append(dst []byte) []byte {
	dst = append(dst, e.node[:]...)
	dst = binary.BigEndian.AppendUint64(dst, e.version)
	dst = append(dst, byte(len(e.key)))
	return append(dst, e.key...)
}

func parseEntry(b []byte) (entry, []byte, error) {
	if len(b) < 41 || b[40] > MaxKey || len(b) < 41+int(b[40]) {
		return entry{}, nil, fmt.Errorf("record key is cut off or over %d bytes: %w", MaxKey, errWire)
	}
	e := entry{version: binary.BigEndian.Uint64(b[32:]), key: string(b[41 : 41+int(b[40])])}
	copy(e.node[:], b)
	return e, b[41+int(b[40]):], nil
}

func parseEntries(b []byte) ([]entry, error) {
	var out []entry
	for len(b) > 0 {
		e, rest, err := parseEntry(b)
		if err != nil {
			return nil, err
		}
		out, b = append(out, e), rest
	}
	return out, nil
}

// appendRecords adds count(4) record*, as many as fit limit bytes.
func appendRecords(dst []byte, records []Record, limit int) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	n := 0
	for i := range records {
		if len(dst)+recordFixed+len(records[i].Key)+len(records[i].Value) > limit {
			break
		}
		dst = records[i].append(dst)
		n++
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(n))
	return dst
}

// parseRecords reads count(4) record* and returns what follows.
func parseRecords(b []byte) ([]Record, []byte, error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("records are cut off: %w", errWire)
	}
	n := int(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n > len(b)/recordFixed {
		return nil, nil, fmt.Errorf("%d records in %d bytes: %w", n, len(b), errWire)
	}
	out := make([]Record, n)
	for i := range out {
		var err error
		if out[i], b, err = parseRecord(b); err != nil {
			return nil, nil, err
		}
	}
	return out, b, nil
}
