package calibrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Version is the version of the File that this package writes and the only one that it reads.
const Version = 1

// Suffix is appended to the model's path to name its File.
const Suffix = ".codecs.json"

// maxFile is the largest File that Read accepts, in bytes.
const maxFile = 256 << 20

// ErrFile is wrapped when a File cannot be read as one; the error says why.
var ErrFile = errors.New("bad calibration file")

// File is what calibration found for one model at one set of input shapes.
type File struct {
	Version int `json:"version"`
	// Model is the model's name; Digest the hexadecimal identity of its canonical graph.
	Model  string `json:"model"`
	Digest string `json:"digest"`
	// Task is how the answers were compared: see Tasks.
	Task string `json:"task"`
	// Fitted and Judged count the samples that made the tables and that the figures are over.
	Fitted int     `json:"fitted_samples"`
	Judged int     `json:"judged_samples"`
	Values []Value `json:"values"`
	Cuts   []Cut   `json:"cuts"`
	// Tables are the calibrated tables by ID, as codec.Table.AppendBinary writes them.
	Tables map[string][]byte `json:"tables,omitempty"`
}

// Value is the curve of one value of the model.
type Value struct {
	Name     string       `json:"name"`
	DType    string       `json:"dtype"`
	Shape    tensor.Shape `json:"shape"`
	Elements int          `json:"elements"`
	// Points are in the order of the ladder.
	Points []Point `json:"points"`
}

// Point is one codec for one value.
type Point struct {
	// Codec is the spec as codec.Parse reads it.
	Codec string `json:"codec"`
	// Bytes is the mean frame size, Bits the mean bits per element.
	Bytes float64 `json:"bytes"`
	Bits  float64 `json:"bits_per_element"`
	// EncodeNS and DecodeNS are nanoseconds per element on one core of this machine.
	EncodeNS float64 `json:"encode_ns_per_element"`
	DecodeNS float64 `json:"decode_ns_per_element"`
	// Error is the mean relative error of the value: root mean square of the difference over that of the value.
	Error  float64 `json:"error"`
	Effect Effect  `json:"effect"`
}

// Effect is what coding does to the model's answer.
type Effect struct {
	// Error is the mean over the samples of the largest relative error (root mean square) among the outputs.
	Error float64 `json:"output_error"`
	// Agreement is the share of answers that stay: top-1 classes, boxes at IoU 0.9, masks at IoU 0.9, texts. It is over
	// Answers answers of all samples; -1 when the task is none.
	Agreement float64 `json:"agreement"`
	Answers   int     `json:"answers"`
	// Flips is the number of samples whose answer changed in any part.
	Flips int `json:"flips"`
}

// Cut is one legal cut with every value that crosses it coded alike: the curve of the whole boundary.
type Cut struct {
	// Front is the number of groups in front of the cut.
	Front  int      `json:"front"`
	Values []string `json:"values"`
	// Elements counts the elements of all values together.
	Elements int     `json:"elements"`
	Points   []Point `json:"points"`
}

// Write writes f as JSON.
func (f *File) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(f)
}

// Save writes f to path at once: readers see the old file or the new one.
func (f *File) Save(path string) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("save calibration: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	if err := errors.Join(f.Write(tmp), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("save calibration: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}

// Read reads a File and checks its version, its specs and its tables.
func Read(r io.Reader) (*File, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrFile, maxFile)
	}
	f := &File{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if f.Version != Version {
		return nil, fmt.Errorf("%w: version is %d, this side reads %d", ErrFile, f.Version, Version)
	}
	for _, v := range f.Values {
		for _, p := range v.Points {
			if _, err := codec.Parse(p.Codec); err != nil {
				return nil, fmt.Errorf("%w: value %q: %w", ErrFile, v.Name, err)
			}
		}
	}
	if _, err := f.Coder(); err != nil {
		return nil, err
	}
	return f, nil
}

// Load is Read from a path.
func Load(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return Read(r)
}

// Coder is a codec.Coder with the file's tables.
func (f *File) Coder() (*codec.Coder, error) {
	var tables []*codec.Table
	for id, b := range f.Tables {
		t, err := codec.ParseTable(b)
		if err != nil {
			return nil, fmt.Errorf("%w: table %s: %w", ErrFile, id, err)
		}
		if t.ID().String() != id {
			return nil, fmt.Errorf("%w: table %s has contents of %v", ErrFile, id, t.ID())
		}
		tables = append(tables, t)
	}
	return codec.NewCoder(tables...), nil
}

// Value is the curve of the value of that name; nil when there is none.
func (f *File) Value(name string) *Value {
	for i := range f.Values {
		if f.Values[i].Name == name {
			return &f.Values[i]
		}
	}
	return nil
}
