package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/cleave-mesh/cleave/codec/internal/rans"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// constantMemory is the most that decoding may allocate beyond what the frame declares, whatever the frame says. Text
// counts twice: a chunk of it is decoded before its strings are made.
const constantMemory = 96 << 20

// allocated is the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// frameOf makes a frame with right checksums from a header and payloads.
func frameOf(h header, payloads ...[]byte) []byte {
	frame := h.append(nil)
	for i, p := range payloads {
		start := len(frame)
		frame = binary.LittleEndian.AppendUint32(frame, uint32(i))
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(p)))
		frame = append(frame, p...)
		frame = binary.LittleEndian.AppendUint32(frame, crc32.Checksum(frame[start:], castagnoli))
	}
	return frame
}

// A small frame must not make the decoder allocate more than it declares: frames that hold a second zstd frame which
// declares a gigabyte, strings whose lengths add up beyond the limit, pictures of wide samples, and the largest chunk of
// every codec.
func TestDecodingMemory(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1 << 16
	first := enc.EncodeAll(make([]byte, 4*n), []byte{planesZstd})
	bomb := append(bytes.Clone(first), 0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x50, 0, 0, 0, 0x3f, 0x03, 0, 0, 0) // declares 0x3f000000 bytes
	floats := header{codec: Lossless, dtype: tensor.Float32, shape: tensor.Shape{n}, chunkElems: n}

	text := bytes.Repeat([]byte{0}, 1<<20)
	var b byteCoder
	// 64 strings of a chunk: the first takes almost all of a megabyte, and all of it is one byte.
	binary.PutUvarint(text, 1<<20-66)
	many := append(binary.AppendUvarint([]byte{planesBytes}, uint64(len(text))), b.append(nil, text)...)
	var chunks [][]byte
	for range 256 {
		chunks = append(chunks, many)
	}
	strs := header{codec: Lossless, dtype: tensor.String, shape: tensor.Shape{64 * 256}, chunkElems: 64}

	wide := image.NewRGBA64(image.Rect(0, 0, 256, 256))
	wide.Set(1, 1, color.RGBA64{R: 1, A: 0xffff})
	var file bytes.Buffer
	if err := png.Encode(&file, wide); err != nil {
		t.Fatal(err)
	}
	params := make([]byte, 26)
	for i := range 3 {
		binary.LittleEndian.PutUint32(params[2+4*i:], math.Float32bits(1))
	}
	picture := header{codec: PNG, dtype: tensor.Uint8, shape: tensor.Shape{256, 256, 3}, chunkElems: 256 * 256 * 3, params: params}
	for _, c := range []struct {
		name  string
		frame []byte
	}{{"zstd", frameOf(floats, bomb)}, {"strings", frameOf(strs, chunks...)}, {"picture", frameOf(picture, file.Bytes())}} {
		lim := Limits{MaxBytes: 1 << 20}
		used := allocated(func() { _, err = Decode(c.frame, lim) })
		if err == nil {
			t.Errorf("%s: a frame beyond its limits is accepted", c.name)
		}
		if used > 2*lim.MaxBytes+8<<20 {
			t.Errorf("%s: a frame of %d bytes makes the decoder allocate %d", c.name, len(c.frame), used)
		}
	}
}

// TestScratchIsConstant decodes the largest chunks of every codec with fresh scratch memory.
func TestScratchIsConstant(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes the largest chunks of every codec, too slow under the race detector")
	}
	rng := newRand(t, 14)
	for _, text := range []string{"raw", "lossless", "float16", "float8", "int8", "int4:entropy=rans", "int2:group=16", "uniform"} {
		for _, d := range []tensor.DType{tensor.Float32, tensor.BFloat16, tensor.Float64} {
			s := mustParse(t, text).With("chunk", "4194304")
			shape := tensor.Shape{3, MaxChunk / 2}
			if coders[s.ID].Accepts(d, shape, s.Params) != nil {
				continue
			}
			x, err := tensor.New(d, shape)
			if err != nil {
				t.Fatal(err)
			}
			b := x.Bytes()
			for i := 0; i < len(b); i += 3 {
				b[i] = byte(rng.Uint32()) & 0x7f
			}
			frame, err := Append(nil, x, s)
			if err != nil {
				t.Fatal(err)
			}
			w := new(work)
			used := allocated(func() {
				var at int
				if at, err = w.parse(frame, Limits{}); err != nil {
					return
				}
				var k coder
				if k, _, err = (*Coder)(nil).accept(w, nil); err != nil {
					return
				}
				for i := range w.chunks {
					end := at + chunkPrefix + int(binary.LittleEndian.Uint32(frame[at+4:])) + sumBytes
					if err = decodeChunkFrame(k, w, frame[at:end], i, at); err != nil {
						return
					}
					at = end
				}
			})
			if err != nil {
				t.Fatalf("%s of %v: %v", text, x, err)
			}
			if extra := used - int64(len(b)); extra > constantMemory {
				t.Errorf("%s of %v: decoding %d bytes allocates %d bytes more", text, x, len(b), extra)
			}
		}
	}
}

// Parameters whose steps leave the range of float32 must not make frames that no decoder takes.
func TestExtremeSteps(t *testing.T) {
	x := tensor.Of[float32](tensor.Float32, tensor.Shape{1, 3, 2}, 8e37, -1e10, 0, 1e-44, 3, 1e-20)
	small := tensor.Of[float32](tensor.Float32, tensor.Shape{1, 3, 2}, 1e-20, 1e-20, 2e-20, 1, 2, 3)
	table, err := Fit([]*tensor.Tensor{small}, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"uniform:rel=1e38", "uniform:rel=1e-38", "uniform:step=3.4e38", "uniform:step=1e-44", "uniform:bits=1e-30",
		"uniform:bits=1e30", "uniform:max-error=3.4e38", "uniform:table=" + table.ID().String(), "uniform:rel=3e38,table=" + table.ID().String(),
	} {
		checkBoundWith(t, NewCoder(table), mustParse(t, text), x)
		zero, err := tensor.New(tensor.Float32, x.Shape())
		if err != nil {
			t.Fatal(err)
		}
		checkBoundWith(t, NewCoder(table), mustParse(t, text), zero)
	}
	for _, shape := range []tensor.Shape{{0, 1 << 30, 1 << 30, 1 << 30}, {1 << 30, 1 << 20, 0, 1 << 30}, {0, math.MaxInt}} {
		for _, text := range fuzzSpecs {
			s := mustParse(t, text)
			empty, err := tensor.New(tensor.Float32, shape)
			if err != nil || coders[s.ID].Accepts(tensor.Float32, shape, s.Params) != nil {
				continue
			}
			checkBoundWith(t, nil, s, empty)
		}
	}
	if _, err := Fit([]*tensor.Tensor{small}, 1e39); !errors.Is(err, errFit) {
		t.Errorf("a step beyond float32 gives %v", err)
	}
}

// A decoded difference may be larger than the one encoded; added to its base it must not overflow on either side.
func TestDifferenceRoundsBeyondRange(t *testing.T) {
	enc, dec := NewDeltaEncoder(mustParse(t, "bfloat16")), NewDeltaDecoder(Limits{})
	for i := range 64 {
		top := math.Float32frombits(0x7f7f7fff - uint32(i*997))
		for _, v := range []float32{1e38, top} {
			update, seq, err := enc.Append(nil, tensor.Of(tensor.Float32, tensor.Shape{2}, v, float32(i)))
			if err != nil {
				t.Fatal(err)
			}
			y, _, err := dec.Decode(update)
			if err != nil {
				t.Fatal(err)
			}
			enc.Acknowledge(seq)
			if got := tensor.Data[float32](y)[0]; math.Abs(float64(got)-float64(v)) > float64(v)/100 {
				t.Fatalf("%g arrives as %g", v, got)
			}
		}
	}
}

// Pictures that decode to something larger than the tensor are refused before their pixels are read.
func TestProgressive(t *testing.T) {
	x := activations(t, newRand(t, 15), tensor.Shape{16, 16, 3}, true)
	frame, err := Append(nil, x, mustParse(t, "jpeg:scale=60"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(frame, []byte{0xff, 0xc0})
	if at < 0 {
		t.Fatal("no frame header")
	}
	frame[at+1] = 0xc2
	if _, err := Decode(resum(frame), Limits{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), errColours.Error()) {
		t.Errorf("a progressive picture gives %v", err)
	}
}

// A table without a place for zeros codes every zero by an escape, but not what fills up the last strips.
func TestTableWithoutZeros(t *testing.T) {
	b := foldQuant{step: 1, round: 102, near: 1, far: 2}.append([]byte{tableVersion})
	var counts rans.ContextCounts
	var freq rans.ContextFreq
	rans.NormalizeContexts(&freq, &counts, &[rans.Alphabet]bool{2: true, escape: true})
	table, err := ParseTable(rans.AppendContextFreq(append(b, 0), &freq))
	if err != nil {
		t.Fatal(err)
	}
	s := Spec{ID: Uniform, Params: map[string]string{"table": table.ID().String()}}
	for n := range 40 {
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(i*i%5 - 1)
		}
		x := tensor.Of(tensor.Float32, tensor.Shape{n}, values...)
		frame, err := NewCoder(table).Append(nil, x, s)
		if err != nil {
			t.Fatal(err)
		}
		checkFrame(t, NewCoder(table), s, x, frame)
	}
}
