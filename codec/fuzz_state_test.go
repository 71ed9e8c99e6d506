package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// fuzzLimits is what the fuzzers' decoders accept.
var fuzzLimits = Limits{MaxBytes: 1 << 20}

// fuzzTable is a calibrated table with steps per channel along axis 1 of shape [1,3,n].
func fuzzTable(t testing.TB) *Table {
	t.Helper()
	x := activations(t, rand.New(rand.NewPCG(9, 1)), tensor.Shape{1, 3, 200}, true)
	table, err := Fit([]*tensor.Tensor{x}, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// FuzzSpec parses any spec and, when it is one, carries a float tensor of any bits under it, with a table made of the
// fuzzer's own bytes where they are one: what is accepted must decode within the frame's bound.
func FuzzSpec(f *testing.F) {
	table := fuzzTable(f)
	tableBytes, err := table.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	specs := append([]string{
		"uniform:rel=1e38", "uniform:max-error=3e38", "uniform:bits=0.5", "uniform:step=1e-44,round=0", "uniform:rel=3,round=0.5",
		"int4:group=16,axis=1,outliers=1", "int3:axis=1,entropy=rans,clip=mse", "float8:format=e5m2", "uniform:table=" + table.ID().String(),
		"uniform:rel=9,table=" + table.ID().String(), "int8:axis=0,chunk=64",
	}, fuzzSpecs...)
	values := []byte{0, 0, 0x80, 0x7e, 1, 0, 0x80, 0xfe, 0xff, 0xff, 0x7f, 0x7f, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 1, 0, 0, 0}
	for i, text := range specs {
		f.Add(text, uint8(i), values, tableBytes)
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8, data, tableBytes []byte) {
		s, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := Parse(s.String()); err != nil || again.String() != s.String() {
			t.Fatalf("%q does not survive: %v", text, err)
		}
		if s.ID == JPEG || s.ID == PNG || len(data) > 1<<16 {
			return
		}
		d := []tensor.DType{tensor.Float32, tensor.Float16, tensor.BFloat16}[kind%3]
		n := len(data) * 8 / d.Bits() / 3
		x, err := tensor.FromBytes(d, tensor.Shape{1, 3, n}, bytes.Clone(data[:3*n*d.Bits()/8]))
		if err != nil {
			t.Fatal(err)
		}
		tables := []*Table{table}
		if other, err := ParseTable(tableBytes); err == nil {
			tables = append(tables, other)
			if s.Params["table"] != "" {
				s = s.With("table", other.ID().String())
			}
		}
		checkBoundWith(t, NewCoder(tables...), s, x)
	})
}

// resumAll is resum of every frame of a stream that magic numbers tell apart.
func resumAll(stream []byte) []byte {
	var out []byte
	for rest := stream; len(rest) > 0; {
		end := len(rest)
		if i := bytes.Index(rest[1:], []byte(magic)); i >= 0 {
			end = i + 1
		}
		out = append(out, resum(rest[:end])...)
		rest = rest[end:]
	}
	return out
}

// FuzzStream feeds bytes to a stream decoder, which must take frames or fail with a *FrameError or the end.
func FuzzStream(f *testing.F) {
	rng := rand.New(rand.NewPCG(10, 1))
	for _, pair := range [][2]string{{"raw", "int8"}, {"lossless:chunk=64", "uniform"}, {"float16", "lossless"}} {
		var b []byte
		for _, text := range pair {
			var err error
			if b, err = Append(b, activations(f, rng, tensor.Shape{1, 4, 40}, true), mustParse(f, text)); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = resumAll(data)
		r := bytes.NewReader(data)
		d := NewDecoder(r, fuzzLimits)
		for {
			before := r.Len()
			x, err := d.Decode()
			if err != nil {
				var where *FrameError
				if !errors.As(err, &where) && (err.Error() != "EOF" || before != 0) {
					t.Fatalf("error is not a FrameError: %v", err)
				}
				return
			}
			used := data[len(data)-before : len(data)-r.Len()]
			if y, err := Decode(used, fuzzLimits); err != nil || !x.Equal(y) {
				t.Fatalf("Decoder accepts what Decode refuses: %v", err)
			}
		}
	})
}

// FuzzDelta feeds updates to a receiver that has one whole tensor: it must take them or fail, and stay usable.
func FuzzDelta(f *testing.F) {
	rng := rand.New(rand.NewPCG(11, 1))
	first := activations(f, rng, tensor.Shape{1, 4, 40}, true)
	second := first.Clone()
	tensor.Data[float32](second)[7] += 0.25
	for _, text := range []string{"lossless", "int8", "uniform", "float16"} {
		enc := NewDeltaEncoder(mustParse(f, text))
		for i, x := range []*tensor.Tensor{first, second, second} {
			b, seq, err := enc.Append(nil, x)
			if err != nil {
				f.Fatal(err)
			}
			enc.Acknowledge(seq)
			if i > 0 {
				f.Add(b)
			}
		}
	}
	whole, _, err := NewDeltaEncoder(Spec{ID: Lossless}).Append(nil, first)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := NewDeltaDecoder(fuzzLimits)
		if _, _, err := d.Decode(whole); err != nil {
			t.Fatal(err)
		}
		b := bytes.Clone(data[:min(len(data), updateBytes)])
		if len(data) > updateBytes {
			b = append(b, resum(data[updateBytes:])...)
		}
		for range 3 {
			if _, _, err := d.Decode(b); err != nil {
				var where *FrameError
				if !errors.As(err, &where) && !errors.Is(err, ErrResync) && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("error has no kind: %v", err)
				}
			}
			if len(d.kept) > keptUpdates+1 {
				t.Fatalf("%d tensors are kept", len(d.kept))
			}
		}
		if _, _, err := d.Decode(whole); err != nil {
			t.Fatalf("a bad update breaks the receiver: %v", err)
		}
	})
}

// FuzzPartial gives a frame's chunks, damaged and in another order, to a Partial, which must conceal what does not come:
// with right checksums the result is what Decode gives, or every chunk that is not there holds what came before.
func FuzzPartial(f *testing.F) {
	rng := rand.New(rand.NewPCG(12, 1))
	for _, text := range []string{"raw:chunk=64", "lossless:chunk=64", "int4:chunk=64,entropy=rans", "uniform:chunk=128", "int8:chunk=64,axis=1"} {
		frame, err := Append(nil, activations(f, rng, tensor.Shape{1, 4, 80}, true), mustParse(f, text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame, frame[len(frame)/2:])
	}
	f.Fuzz(func(t *testing.T, data, chunk []byte) {
		data = resum(data)
		p, err := NewPartial(data, fuzzLimits)
		if err != nil {
			return
		}
		if err := p.Add(chunk); err != nil {
			var where *FrameError
			if !errors.As(err, &where) {
				t.Fatalf("error is not a FrameError: %v", err)
			}
		}
		whole, err := Decode(data, fuzzLimits)
		missing := p.Missing()
		previous, _ := tensor.New(p.t.DType(), p.t.Shape())
		got := p.Tensor(previous)
		if err == nil && (missing != 0 || !got.Equal(whole)) {
			t.Fatalf("a whole frame gives %d missing chunks, and another tensor", missing)
		}
	})
}

// FuzzTable parses any bytes as a table, and makes one of parts, right as far as a table's own checks go: one that is
// accepted must be written back as the same bytes and code any float32 within bounds.
func FuzzTable(f *testing.F) {
	table := fuzzTable(f)
	b, err := table.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	values := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0x80, 0x7e}
	f.Add(b, uint32(0x3f000000), uint8(102), uint8(3), uint32(1), uint32(9), uint8(1), []byte{0x80, 0x3f, 0, 0x40}, []byte{1, 2, 3}, values)
	f.Add(b, uint32(0x00800000), uint8(128), uint8(200), uint32(1<<29), uint32(2), uint8(3), []byte{0, 0x36, 0, 0x49}, b, values)
	f.Fuzz(func(t *testing.T, b []byte, step uint32, round, shift uint8, near, far uint32, axis uint8, factors, weights, data []byte) {
		parts := foldQuant{step: math.Float32frombits(step), round: round, shift: int8(shift), near: int(near), far: int(far)}.append([]byte{tableVersion})
		n := min(len(factors)/2, 200)
		parts = binary.AppendUvarint(parts, uint64(n))
		if n > 0 {
			parts = append(parts, axis%MaxRank)
		}
		parts = append(parts, factors[:2*n]...)
		var counts rans.ContextCounts
		for i, v := range weights[:min(len(weights), rans.Contexts*rans.Alphabet)] {
			counts[i/rans.Alphabet][i%rans.Alphabet] = uint32(v)
		}
		var freq rans.ContextFreq
		rans.NormalizeContexts(&freq, &counts, &[rans.Alphabet]bool{escape: true})
		for _, b := range [][]byte{b, rans.AppendContextFreq(parts, &freq)} {
			if table, err := ParseTable(b); err == nil {
				checkTable(t, table, data)
			}
		}
	})
}

func checkTable(t *testing.T, table *Table, data []byte) {
	t.Helper()
	again, err := table.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := ParseTable(again)
	if err != nil || twin.ID() != table.ID() {
		t.Fatalf("table does not come back: %v", err)
	}
	shape := tensor.Shape{1, 2, 1, 3}
	if n := len(table.factor); n > 0 {
		if table.axis >= len(shape) {
			return
		}
		shape[table.axis] = n
	}
	n, err := shape.Elements()
	if err != nil {
		t.Fatal(err)
	}
	bits := make([]byte, 4*n)
	for i := 0; len(data) > 0 && i < len(bits); i += copy(bits[i:], data) {
		continue
	}
	x, err := tensor.FromBytes(tensor.Float32, shape, bits)
	if err != nil {
		t.Fatal(err)
	}
	checkBoundWith(t, NewCoder(table), Spec{ID: Uniform, Params: map[string]string{"table": table.ID().String()}}, x)
}

// checkBoundWith is checkBound with tables; a tensor that the codec refuses is passed over.
func checkBoundWith(t *testing.T, c *Coder, s Spec, x *tensor.Tensor) {
	t.Helper()
	frame, err := c.Append(nil, x, s)
	if errors.Is(err, ErrUnsuitable) || errors.Is(err, ErrTable) {
		return
	}
	if err != nil {
		t.Fatalf("%v of %v: %v", s, x, err)
	}
	checkFrame(t, c, s, x, frame)
}

// checkFrame holds a frame of x under s to its own bound; elements that are not finite must come back as they were.
func checkFrame(t *testing.T, c *Coder, s Spec, x *tensor.Tensor, frame []byte) {
	t.Helper()
	y, err := c.Decode(frame, Limits{})
	if err != nil {
		t.Fatalf("%v of %v: %v", s, x, err)
	}
	bound, err := c.Bound(frame)
	if err != nil {
		t.Fatal(err)
	}
	wide := newFloats(x.DType())
	if wide == nil {
		if !x.Equal(y) {
			t.Fatalf("%v of %v changes it", s, x)
		}
		return
	}
	width := x.DType().Bits() / 8
	for i := range x.Len() {
		a, b := wide(x.Bytes()[i*width:]), wide(y.Bytes()[i*width:])
		if math.IsNaN(a) && math.IsNaN(b) || a == b {
			continue
		}
		if d := math.Abs(a - b); !(d <= bound.Of(a)) || math.IsInf(a, 0) {
			t.Fatalf("%v of %v: element %d is %g, decoded %g, bound %g", s, x, i, a, b, bound.Of(a))
		}
	}
}
