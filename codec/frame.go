package codec

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

const (
	magic = "CLVT"
	// prefixBytes is what stands before the header's body, chunkPrefix before a chunk's payload, sumBytes after each.
	prefixBytes = 12
	chunkPrefix = 8
	sumBytes    = 4
	// minBody is the shortest body: rank, chunk elements and parameter length.
	minBody = 3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is a frame's header in memory.
type header struct {
	codec      ID
	dtype      tensor.DType
	flags      uint8
	shape      tensor.Shape
	chunkElems int
	params     []byte
	// elems, bytes and chunks follow from the fields above.
	elems, bytes, chunks int
}

// derive computes the fields that follow from others. Strings have no byte count.
func (h *header) derive() error {
	var err error
	if h.elems, err = h.shape.Elements(); err != nil {
		return err
	}
	h.bytes = 0
	if h.dtype != tensor.String {
		if h.bytes, err = tensor.Bytes(h.dtype, h.shape); err != nil {
			return err
		}
	}
	h.chunks = 0
	if h.elems > 0 {
		h.chunks = (h.elems-1)/h.chunkElems + 1
	}
	return nil
}

// stringHeaders is the bytes that the elements of a String tensor take besides their text.
func (h *header) stringHeaders() int64 {
	const each, most = 16, 1 << 48
	return min(int64(h.elems), most) * each
}

// span is the elements [lo, hi) of chunk i.
func (h *header) span(i int) (lo, hi int) {
	lo = i * h.chunkElems
	return lo, lo + min(h.chunkElems, h.elems-lo)
}

// payloadLimit is the longest payload that chunk i may declare: its elements as they are, and an eighth more, and 4 KiB.
func (h *header) payloadLimit(i int) int {
	if h.dtype == tensor.String {
		return MaxTextBytes
	}
	lo, hi := h.span(i)
	raw := ((hi-lo)*h.dtype.Bits() + 7) / 8
	return raw + raw/8 + 4096
}

func (h *header) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, Version, byte(h.codec), byte(h.dtype), h.flags, 0, 0, 0, 0, byte(len(h.shape)))
	for _, d := range h.shape {
		dst = binary.AppendUvarint(dst, uint64(d))
	}
	dst = binary.AppendUvarint(dst, uint64(h.chunkElems))
	dst = binary.AppendUvarint(dst, uint64(len(h.params)))
	dst = append(dst, h.params...)
	binary.LittleEndian.PutUint32(dst[start+8:], uint32(len(dst)-start-prefixBytes))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// bodyLength reads the length of a header's body from its first prefixBytes bytes.
func bodyLength(prefix []byte) (int, error) {
	if len(prefix) < prefixBytes {
		return 0, headerError(len(prefix), ErrCorrupt, "frame ends inside the header's first %d bytes", prefixBytes)
	}
	if string(prefix[:4]) != magic {
		return 0, headerError(0, ErrCorrupt, "magic is %q, want %q", prefix[:4], magic)
	}
	if prefix[4] != Version {
		return 0, headerError(4, ErrCorrupt, "version is %d, this side reads %d", prefix[4], Version)
	}
	n := binary.LittleEndian.Uint32(prefix[8:])
	if n < minBody {
		return 0, headerError(8, ErrCorrupt, "header body of %d bytes, at least %d", n, minBody)
	}
	if n > MaxHeader {
		return 0, headerError(8, ErrLimit, "header body of %d bytes, limit %d", n, MaxHeader)
	}
	return int(n), nil
}

// parse reads a whole header, which b begins with, and returns its length. The shape and the parameters are copied into
// the slices that h already has.
func (h *header) parse(b []byte, lim Limits) (int, error) {
	body, err := bodyLength(b[:min(len(b), prefixBytes)])
	if err != nil {
		return 0, err
	}
	end := prefixBytes + body
	if len(b) < end+sumBytes {
		return 0, headerError(len(b), ErrCorrupt, "frame ends inside a header of %d bytes", end+sumBytes)
	}
	if got, want := crc32.Checksum(b[:end], castagnoli), binary.LittleEndian.Uint32(b[end:]); got != want {
		return 0, headerError(end, ErrCorrupt, "checksum is %08x, computed %08x", want, got)
	}
	h.codec, h.dtype, h.flags = ID(b[5]), tensor.DType(b[6]), b[7]
	if int(h.codec) >= len(coders) {
		return 0, headerError(5, ErrCorrupt, "unknown codec %d", b[5])
	}
	if !h.dtype.Valid() {
		return 0, headerError(6, ErrCorrupt, "unknown element type %d", b[6])
	}
	if h.flags != 0 {
		return 0, headerError(7, ErrCorrupt, "unknown flags %#x", h.flags)
	}
	r := reader{b: b[:end], at: prefixBytes}
	rank := int(r.byte())
	if rank > MaxRank {
		return 0, headerError(prefixBytes, ErrLimit, "rank %d, limit %d", rank, MaxRank)
	}
	h.shape = h.shape[:0]
	for range rank {
		h.shape = append(h.shape, r.length(math.MaxInt))
	}
	at := r.at
	h.chunkElems = r.length(math.MaxInt)
	n := r.length(body)
	params := r.take(n)
	if r.bad || r.at != end {
		return 0, headerError(min(r.at, end), ErrCorrupt, "fields do not fill the body of %d bytes", body)
	}
	h.params = append(h.params[:0], params...)
	if limit := maxChunk(h.codec, h.dtype); h.chunkElems < 1 || h.chunkElems > limit {
		return 0, headerError(at, ErrLimit, "chunks of %d elements, limit %d", h.chunkElems, limit)
	}
	if err := h.derive(); err != nil {
		return 0, headerError(prefixBytes, ErrCorrupt, "%v", err)
	}
	if h.elems > h.chunkElems && h.chunkElems%chunkAlign != 0 {
		return 0, headerError(at, ErrCorrupt, "chunks of %d elements, not a multiple of %d", h.chunkElems, chunkAlign)
	}
	declared := int64(h.bytes)
	if h.dtype == tensor.String {
		declared = h.stringHeaders()
	}
	if declared > lim.maxBytes() {
		return 0, headerError(prefixBytes, ErrLimit, "%v tensor %v of %d bytes, limit %d", h.dtype, h.shape, declared, lim.maxBytes())
	}
	return end + sumBytes, nil
}

// appendChunkFrame appends chunk i of w whole.
func appendChunkFrame(dst []byte, c coder, w *work, i int) ([]byte, error) {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(i))
	dst = append(dst, 0, 0, 0, 0)
	lo, hi := w.span(i)
	dst, err := c.appendChunk(dst, w, lo, hi)
	if err != nil {
		return dst[:start], err
	}
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(len(dst)-start-chunkPrefix))
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// chunkLength checks a chunk's prefix, which stands at byte offset of the frame, and returns its payload's length.
func (h *header) chunkLength(prefix []byte, i, offset int) (int, error) {
	if got := binary.LittleEndian.Uint32(prefix); got != uint32(i) {
		return 0, chunkError(i, offset, ErrCorrupt, "index is %d", got)
	}
	n := binary.LittleEndian.Uint32(prefix[4:])
	if limit := h.payloadLimit(i); n > uint32(limit) {
		return 0, chunkError(i, offset+4, ErrLimit, "payload of %d bytes, limit %d", n, limit)
	}
	return int(n), nil
}

// decodeChunkFrame decodes chunk i from b, its prefix, payload and checksum; offset is where b stands in the frame.
func decodeChunkFrame(c coder, w *work, b []byte, i, offset int) error {
	end := len(b) - sumBytes
	if got, want := crc32.Checksum(b[:end], castagnoli), binary.LittleEndian.Uint32(b[end:]); got != want {
		return chunkError(i, offset+end, ErrCorrupt, "checksum is %08x, computed %08x", want, got)
	}
	lo, hi := w.span(i)
	if err := c.decodeChunk(w, b[chunkPrefix:end], lo, hi); err != nil {
		return chunkError(i, offset+chunkPrefix, ErrCorrupt, "%v", err)
	}
	return nil
}

func headerError(offset int, err error, format string, args ...any) error {
	return &FrameError{Chunk: -1, Offset: offset, What: fmt.Sprintf(format, args...), Err: err}
}

func chunkError(chunk, offset int, err error, format string, args ...any) error {
	return &FrameError{Chunk: chunk, Offset: offset, What: fmt.Sprintf(format, args...), Err: err}
}

// reader reads fields from b and turns bad, once and for all, where b ends too early or a value is out of range.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b)-r.at {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) rest() []byte { return r.take(len(r.b) - r.at) }

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// length is a uvarint of at most limit.
func (r *reader) length(limit int) int {
	if r.bad {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 || v > uint64(limit) {
		r.bad = true
		return 0
	}
	r.at += n
	return int(v)
}

// grow is b with room for n more bytes.
func grow(b []byte, n int) []byte { return slices.Grow(b, n) }
