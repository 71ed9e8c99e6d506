package codec

import (
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// TestTemporal loses updates and acknowledgements at random: whatever arrives must decode to the sender's idea of it, and
// similar tensors must take fewer bytes than whole ones.
func TestTemporal(t *testing.T) {
	rng := newRand(t, 31)
	for _, text := range []string{"lossless", "uniform:step=0.1", "int8", "float16"} {
		s := mustParse(t, text)
		for _, d := range []tensor.DType{tensor.Float32, tensor.Float16, tensor.Int32} {
			if coders[s.ID].Accepts(d, nil, s.Params) != nil {
				continue
			}
			enc, dec := NewDeltaEncoder(s), NewDeltaDecoder(Limits{})
			x := activations(t, rng, tensor.Shape{1, 8, 20, 20}, false)
			whole, later := 0, 0
			for step := range 30 {
				v := tensor.Data[float32](x)
				for range 50 {
					v[rng.IntN(len(v))] += float32(rng.NormFloat64()) / 8
				}
				y := x
				if d == tensor.Float16 {
					y = narrowed(t, x, d)
				} else if d == tensor.Int32 {
					y = x.Clone()
					b, err := tensor.FromBytes(d, x.Shape(), y.Bytes())
					if err != nil {
						t.Fatal(err)
					}
					y = b
				}
				b, sequence, err := enc.Append(nil, y)
				if err != nil {
					t.Fatal(err)
				}
				if step == 0 {
					whole = len(b)
				}
				later = len(b)
				if rng.IntN(3) == 0 && step > 0 {
					continue // lost
				}
				got, n, err := dec.Decode(b)
				if err != nil || n != sequence {
					t.Fatalf("%s of %v, step %d: %v", text, d, step, err)
				}
				want := enc.sent[len(enc.sent)-1].tensor
				if !got.Equal(want) {
					t.Fatalf("%s of %v, step %d: the sides differ", text, d, step)
				}
				if s.Lossless() && !got.Equal(y) {
					t.Fatalf("%s of %v, step %d: not lossless", text, d, step)
				}
				if rng.IntN(3) > 0 {
					enc.Acknowledge(sequence)
				}
			}
			if (text == "lossless" || s.ID == Uniform) && later > whole/2 {
				t.Errorf("%s of %v: an update takes %d bytes, a whole tensor %d", text, d, later, whole)
			}
			// A receiver that starts anew cannot use a difference; after Reset it can go on.
			fresh := NewDeltaDecoder(Limits{})
			enc.Acknowledge(enc.next - 1)
			b, _, err := enc.Append(nil, x)
			if err == nil && b[0] == updateDifference {
				if _, _, err := fresh.Decode(b); !errors.Is(err, ErrResync) {
					t.Fatalf("difference without its base: %v", err)
				}
			}
			enc.Reset()
			if b, _, err = enc.Append(nil, x); err == nil {
				if _, _, err := fresh.Decode(b); err != nil {
					t.Fatalf("after Reset: %v", err)
				}
			}
		}
	}
}

// TestConceal drops and reorders chunks.
func TestConceal(t *testing.T) {
	rng := newRand(t, 32)
	for _, text := range []string{"raw:chunk=640", "lossless:chunk=640", "int4:entropy=rans,chunk=640", "uniform:chunk=640", "float16:chunk=640"} {
		s := mustParse(t, text)
		x := activations(t, rng, tensor.Shape{1, 5, 31, 31}, true)
		old := activations(t, rng, x.Shape(), true)
		frame, err := Append(nil, x, s)
		if err != nil {
			t.Fatal(err)
		}
		full, err := Decode(frame, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var h header
		at, err := h.parse(frame, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var chunks [][]byte
		for i := range h.chunks {
			n, err := h.chunkLength(frame[at:], i, at)
			if err != nil {
				t.Fatal(err)
			}
			end := at + chunkPrefix + n + sumBytes
			chunks = append(chunks, frame[at:end])
			at = end
		}
		whole, err := NewPartial(frame, Limits{})
		if err != nil || whole.Missing() != 0 || !whole.Tensor(nil).Equal(full) {
			t.Fatalf("%s: a whole frame does not come whole: %v", text, err)
		}
		for _, previous := range []*tensor.Tensor{nil, old} {
			p, err := NewPartial(frame[:headerLength(t, frame)], Limits{})
			if err != nil {
				t.Fatal(err)
			}
			lost := map[int]bool{}
			for _, i := range rng.Perm(len(chunks)) {
				if i%3 == 1 {
					lost[i] = true
					bad := append([]byte(nil), chunks[i]...)
					bad[len(bad)-5] ^= 4
					if err := p.Add(bad); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("%s: damaged chunk: %v", text, err)
					}
					continue
				}
				if err := p.Add(chunks[i]); err != nil {
					t.Fatal(err)
				}
			}
			if p.Missing() != len(lost) {
				t.Fatalf("%s: %d chunks missing, want %d", text, p.Missing(), len(lost))
			}
			got := tensor.Data[float32](p.Tensor(previous))
			for i := range got {
				want := tensor.Data[float32](full)[i]
				if lost[i/h.chunkElems] {
					want = 0
					if previous != nil {
						want = tensor.Data[float32](previous)[i]
					}
				}
				if got[i] != want {
					t.Fatalf("%s: element %d is %g, want %g", text, i, got[i], want)
				}
			}
		}
	}
}

func headerLength(t *testing.T, frame []byte) int {
	t.Helper()
	n, err := bodyLength(frame[:prefixBytes])
	if err != nil {
		t.Fatal(err)
	}
	return prefixBytes + n + sumBytes
}
