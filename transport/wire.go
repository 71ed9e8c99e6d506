package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Limits of the wire.
const (
	// MaxMessage is the most bytes of a Call's request and of its answer.
	MaxMessage = 8 << 20
	// MaxExtra is the most bytes of Header.Extra.
	MaxExtra = 1024
	// maxErrorText is the most bytes of an error's text; longer ones are cut.
	maxErrorText = 512
)

const (
	wireVersion    = 1
	preambleLen    = 12
	headerFixedLen = 54
	receiptLen     = 32
)

// errWire is wrapped by every error about malformed bytes of a peer.
var errWire = errors.New("malformed message")

// Code is an application error code of QUIC streams, connections and answers. Append only.
type Code uint8

// The codes.
const (
	CodeOK        Code = 0
	CodeInternal  Code = 1 // the handler failed
	CodeUnhandled Code = 2 // no handler for the kind
	CodeMalformed Code = 3 // the peer's bytes break the wire format
	CodeTooLarge  Code = 4 // a length exceeds its limit
	CodeCanceled  Code = 5 // the sender gave up
	CodeRefused   Code = 6 // the handler refuses (stale plan epoch, no memory, not this node)
	CodeLate      Code = 7 // the remaining time was over
	CodeClosing   Code = 8 // the host closes
	CodeStranger  Code = 9 // no valid membership certificate
	CodeEvicted   Code = 10
	CodeDuplicate Code = 11 // a second connection between the same two peers
)

var codeNames = [...]string{
	"ok", "internal error", "unhandled kind", "malformed", "too large", "canceled", "refused", "too late", "closing",
	"not a member", "evicted", "duplicate connection",
}

func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "code " + strconv.Itoa(int(c))
}

// Header says which tensor a stream carries. The transport interprets only Remaining, Urgency and Size.
type Header struct {
	// Request identifies the inference; Attempt counts its retries and hedges.
	Request [16]byte
	Attempt uint16
	// Plan and Epoch say under which plan and which state of the mesh the sender acts.
	Plan  uint64
	Epoch uint64
	// Stage is the receiving stage, Value the boundary value, Codec the codec's append-only wire id.
	Stage uint32
	Value uint32
	Codec uint16
	// Size is the payload's bytes if known beforehand, else 0.
	Size uint64
	// Extra is opaque to the transport, at most MaxExtra bytes.
	Extra []byte
	// Remaining is the time left for the request; 0 means no deadline. Send fills it from its context when it is 0.
	Remaining time.Duration
	// Urgency is 0 (first) to 7 (last); UrgencyAuto derives it from Remaining.
	Urgency Urgency
}

// Urgency orders the streams of one connection: lower values go first.
type Urgency uint8

// Urgencies beside the numbers of RFC 9218, which are shifted by one so that the zero value means automatic.
const (
	UrgencyAuto Urgency = 0
	urgencyCtl  Urgency = 1 // control and gossip: RFC 9218 urgency 0
	urgencyBulk Urgency = 7 // files: RFC 9218 urgency 6
)

// preamble opens every stream.
type preamble struct {
	urgency   Urgency
	kind      Kind
	remaining time.Duration
	whole     bool // not on the wire: the stream is sent to its end before the next one of the same urgency
}

func (p preamble) append(dst []byte) []byte {
	dst = append(dst, wireVersion, byte(p.urgency))
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.kind))
	return binary.BigEndian.AppendUint64(dst, uint64(max(0, p.remaining)/time.Microsecond))
}

func readPreamble(r io.Reader) (preamble, error) {
	var b [preambleLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return preamble{}, fmt.Errorf("read preamble: %w", err)
	}
	if b[0] != wireVersion {
		return preamble{}, fmt.Errorf("read preamble: version %d, want %d: %w", b[0], wireVersion, errWire)
	}
	us := binary.BigEndian.Uint64(b[4:])
	const maxRemaining = uint64(365 * 24 * time.Hour / time.Microsecond)
	if us > maxRemaining {
		return preamble{}, fmt.Errorf("read preamble: remaining time of %d us is over a year: %w", us, errWire)
	}
	return preamble{
		urgency:   Urgency(min(b[1], 8)),
		kind:      Kind(binary.BigEndian.Uint16(b[2:])),
		remaining: time.Duration(us) * time.Microsecond,
	}, nil
}

// append adds the tensor header that follows the preamble.
func (h *Header) append(dst []byte) []byte {
	dst = append(dst, h.Request[:]...)
	dst = binary.BigEndian.AppendUint64(dst, h.Plan)
	dst = binary.BigEndian.AppendUint64(dst, h.Epoch)
	dst = binary.BigEndian.AppendUint32(dst, h.Stage)
	dst = binary.BigEndian.AppendUint32(dst, h.Value)
	dst = binary.BigEndian.AppendUint16(dst, h.Codec)
	dst = binary.BigEndian.AppendUint16(dst, h.Attempt)
	dst = binary.BigEndian.AppendUint64(dst, h.Size)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.Extra)))
	return append(dst, h.Extra...)
}

func readHeader(r io.Reader) (Header, error) {
	var b [headerFixedLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Header{}, fmt.Errorf("read tensor header: %w", err)
	}
	var h Header
	copy(h.Request[:], b[:16])
	h.Plan = binary.BigEndian.Uint64(b[16:])
	h.Epoch = binary.BigEndian.Uint64(b[24:])
	h.Stage = binary.BigEndian.Uint32(b[32:])
	h.Value = binary.BigEndian.Uint32(b[36:])
	h.Codec = binary.BigEndian.Uint16(b[40:])
	h.Attempt = binary.BigEndian.Uint16(b[42:])
	h.Size = binary.BigEndian.Uint64(b[44:])
	n := int(binary.BigEndian.Uint16(b[52:]))
	if n > MaxExtra {
		return Header{}, fmt.Errorf("read tensor header: %d bytes of extra, limit %d: %w", n, MaxExtra, errWire)
	}
	if n > 0 {
		h.Extra = make([]byte, n)
		if _, err := io.ReadFull(r, h.Extra); err != nil {
			return Header{}, fmt.Errorf("read tensor header: %w", err)
		}
	}
	return h, nil
}

// receipt is what the receiver of a body saw: all of it, and its second half apart from the first, so that slow start and the
// sender's first encode weigh less.
type receipt struct {
	bytes, tailBytes uint64
	total, tail      time.Duration
}

func (r receipt) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, r.bytes)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.total))
	dst = binary.BigEndian.AppendUint64(dst, r.tailBytes)
	return binary.BigEndian.AppendUint64(dst, uint64(r.tail))
}

func readReceipt(rd io.Reader) (receipt, error) {
	var b [receiptLen]byte
	if _, err := io.ReadFull(rd, b[:]); err != nil {
		return receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	r := receipt{
		bytes: binary.BigEndian.Uint64(b[:]), total: time.Duration(binary.BigEndian.Uint64(b[8:])),
		tailBytes: binary.BigEndian.Uint64(b[16:]), tail: time.Duration(binary.BigEndian.Uint64(b[24:])),
	}
	if r.total < 0 || r.tail < 0 || r.tail > r.total || r.tailBytes > r.bytes {
		return receipt{}, fmt.Errorf("read receipt: times and bytes contradict: %w", errWire)
	}
	return r, nil
}

// appendFailure adds an answer that reports an error.
func appendFailure(dst []byte, code Code, text string) []byte {
	text = text[:min(len(text), maxErrorText)]
	dst = append(dst, byte(code))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(text)))
	return append(dst, text...)
}

// readStatus reads an answer's first byte, and the error that follows one which is not CodeOK.
func readStatus(r io.Reader, peer PeerID) error {
	var b [3]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return err
	}
	if Code(b[0]) == CodeOK {
		return nil
	}
	if _, err := io.ReadFull(r, b[1:]); err != nil {
		return fmt.Errorf("read failure: %w", err)
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if n > maxErrorText {
		return fmt.Errorf("read failure: text of %d bytes, limit %d: %w", n, maxErrorText, errWire)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return fmt.Errorf("read failure: %w", err)
	}
	return &RemoteError{Peer: peer, Code: Code(b[0]), Text: string(text)}
}
