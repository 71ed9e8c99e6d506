package calibrate

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// FuzzRead feeds bytes as a calibration file: Read fails with ErrFile, or what it returns has a Coder and is written back as
// a file that Read takes.
func FuzzRead(f *testing.F) {
	table, err := codec.Fit([]*tensor.Tensor{tensor.Of[float32](tensor.Float32, tensor.Shape{1, 2, 4}, 0, 1, 2, 0, 0, -1, 3, 0)}, 0.5)
	if err != nil {
		f.Fatal(err)
	}
	b, err := table.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	file := File{
		Version: Version, Model: "m", Digest: "00", Task: "top1", Tables: map[string][]byte{table.ID().String(): b},
		Values: []Value{{Name: "v", DType: "float32", Shape: tensor.Shape{1, 2, 4}, Elements: 8, Points: []Point{{Codec: "uniform:table=" + table.ID().String()}}}},
		Cuts:   []Cut{{Front: 1, Values: []string{"v"}, Elements: 8, Points: []Point{{Codec: "int8"}}}},
	}
	var buf bytes.Buffer
	if err := file.Write(&buf); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Read(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrFile) {
				t.Fatalf("error is not ErrFile: %v", err)
			}
			return
		}
		if _, err := got.Coder(); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := got.Write(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&again); err != nil {
			t.Fatalf("a file that was read is refused when written back: %v", err)
		}
	})
}
