package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
)

// Table is what the uniform codec needs to know of one value of a model, found by calibration, so that no frame has to
// carry it: the quantiser's step and shape, where a symbol's neighbours are, and the distributions. It is read-only once
// made and safe for concurrent use.
//
// Along an axis of the tensor, channels may have steps of their own: the step times the channel's factor.
//
// Its bytes are: version u8 (2) | step f32 | round u8 | shift i8 | near uvarint | far uvarint | channels uvarint |
// axis u8, a bf16 factor per channel and an i8 zero per channel, unless there are none | frequencies as in rans.AppendContextFreq. Its ID is the
// first 8 bytes of their SHA-256.
type Table struct {
	id    TableID
	quant foldQuant
	axis  int
	// factor and inverse have an entry per channel, or are empty.
	factor, inverse []float32
	// zero has an entry per channel: what symbol 0 decodes to, in 256ths of the channel's step.
	zero    []int8
	freq    rans.ContextFreq
	known   [rans.Alphabet]bool // symbols with a frequency in every context
	unknown int                 // the first that is not known, or the escape
	coder   rans.ContextTable
}

// TableID names a Table by its contents.
type TableID uint64

// String is 16 hexadecimal digits, as table= takes them.
func (id TableID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// ParseTableID is the inverse of TableID.String.
func ParseTableID(text string) (TableID, error) {
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, fmt.Errorf("%w: table=%q is not 16 hexadecimal digits", ErrSpec, text)
	}
	return TableID(v), nil
}

// foldQuant is the uniform codec's quantiser: see uniformCodec.
type foldQuant struct {
	step  float32
	round uint8 // of 256
	shift int8  // of 128
	near  int
	far   int
}

const tableVersion = 2

func (q foldQuant) append(dst []byte) []byte {
	dst = appendFloat(dst, q.step)
	dst = append(dst, q.round, byte(q.shift))
	dst = binary.AppendUvarint(dst, uint64(q.near))
	return binary.AppendUvarint(dst, uint64(q.far))
}

// maxNeighbour is the largest distance of a neighbour in elements, more than any chunk has.
const maxNeighbour = 1 << 30

func (q *foldQuant) read(r *reader) error {
	q.step = math.Float32frombits(r.uint32())
	q.round, q.shift = r.byte(), int8(r.byte())
	q.near, q.far = r.length(maxNeighbour), r.length(maxNeighbour)
	if r.bad || q.near < 1 || q.far < 1 || !(q.step >= 0) || math.IsInf(float64(q.step), 0) {
		return errors.New("quantiser is not valid")
	}
	return nil
}

// AppendBinary appends the table's bytes.
func (t *Table) AppendBinary(dst []byte) ([]byte, error) {
	dst = t.quant.append(append(dst, tableVersion))
	dst = binary.AppendUvarint(dst, uint64(len(t.factor)))
	if len(t.factor) > 0 {
		dst = append(dst, byte(t.axis))
	}
	for _, v := range t.factor {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(math.Float32bits(v)>>16))
	}
	for _, z := range t.zero {
		dst = append(dst, byte(z))
	}
	return rans.AppendContextFreq(dst, &t.freq), nil
}

// ParseTable reads what Table.AppendBinary wrote; nothing may follow.
func ParseTable(b []byte) (*Table, error) {
	r := reader{b: b}
	if v := r.byte(); v != tableVersion {
		return nil, fmt.Errorf("parse table: version is %d, this side reads %d", v, tableVersion)
	}
	t := &Table{}
	if err := t.quant.read(&r); err != nil {
		return nil, fmt.Errorf("parse table: %w", err)
	}
	if err := t.readFactors(&r); err != nil {
		return nil, fmt.Errorf("parse table: %w", err)
	}
	n, err := rans.ParseContextFreq(&t.freq, b[r.at:])
	if err != nil || n != len(b)-r.at {
		return nil, fmt.Errorf("parse table: frequencies: %w", errors.Join(err, ErrCorrupt))
	}
	if err := t.finish(); err != nil {
		return nil, fmt.Errorf("parse table: %w", err)
	}
	return t, nil
}

func (t *Table) readFactors(r *reader) error {
	n := r.length(MaxChannels)
	if n > 0 {
		t.axis = int(r.byte())
	}
	b := r.take(2 * n)
	if r.bad || t.axis >= MaxRank {
		return errors.New("channels are not valid")
	}
	for i := range n {
		v := widen(binary.LittleEndian.Uint16(b[2*i:]))
		if !(v >= minFactor && v <= 1/minFactor) {
			return fmt.Errorf("factor %g of channel %d is not in [%g, %g]", v, i, minFactor, 1/minFactor)
		}
		t.factor = append(t.factor, v)
	}
	for _, z := range r.take(n) {
		t.zero = append(t.zero, int8(z))
	}
	if r.bad {
		return errors.New("channels are not valid")
	}
	return nil
}

// minFactor is the smallest factor of a channel's step; its inverse is the largest.
const minFactor = 1.0 / (1 << 20)

// finish computes what follows from the quantiser and the frequencies.
func (t *Table) finish() error {
	for s := range t.known {
		t.known[s] = true
		for c := range t.freq {
			t.known[s] = t.known[s] && t.freq[c][s] > 0
		}
	}
	if !t.known[escape] {
		return errors.New("the escape symbol has no frequency")
	}
	t.unknown = 0
	for t.unknown < escape && t.known[t.unknown] {
		t.unknown++
	}
	t.inverse = t.inverse[:0]
	for _, v := range t.factor {
		t.inverse = append(t.inverse, 1/v)
	}
	t.coder.BuildEncoder(&t.freq)
	t.coder.BuildDecoder(&t.freq)
	b, _ := t.AppendBinary(nil)
	sum := sha256.Sum256(b)
	t.id = TableID(binary.BigEndian.Uint64(sum[:]))
	return nil
}

// ID names the table.
func (t *Table) ID() TableID { return t.id }

// Step is the quantiser's step.
func (t *Table) Step() float32 { return t.quant.step }

// Channels is the axis along which channels have steps of their own, and those in proportion to each other; nil when they have
// not. The caller must not change them.
func (t *Table) Channels() (axis int, factors []float32) { return t.axis, t.factor }

// fits fails when a tensor of this shape has other channels than the table.
func (t *Table) fits(shape []int) error {
	if len(t.factor) > 0 && (t.axis >= len(shape) || shape[t.axis] != len(t.factor)) {
		return fmt.Errorf("%w: table %v is for %d channels along axis %d, the shape is %v", ErrUnsuitable, t.id, len(t.factor), t.axis, shape)
	}
	return nil
}

// largest is the largest factor of a channel, 1 without channels.
func (t *Table) largest() float32 {
	if len(t.factor) == 0 {
		return 1
	}
	return slices.Max(t.factor)
}

// farthestZero is the largest magnitude that symbol 0 decodes to, in steps.
func (t *Table) farthestZero() float32 {
	most := 0
	for _, z := range t.zero {
		most = max(most, int(z), -int(z))
	}
	return float32(most) / 256
}

// Coder encodes and decodes with calibrated tables. A nil *Coder has none and is what the package's functions use. It is
// safe for concurrent use.
type Coder struct{ tables map[TableID]*Table }

// NewCoder returns a Coder that knows these tables.
func NewCoder(tables ...*Table) *Coder {
	c := &Coder{tables: make(map[TableID]*Table, len(tables))}
	for _, t := range tables {
		c.tables[t.id] = t
	}
	return c
}

func (c *Coder) table(id TableID) (*Table, error) {
	if c != nil {
		if t := c.tables[id]; t != nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: %v", ErrTable, id)
}
