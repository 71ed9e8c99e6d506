package calibrate

import (
	"crypto/sha256"
	"encoding/hex"
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

// Limits of a File that Read accepts.
const (
	MaxFile   = 64 << 20 // bytes
	MaxValues = 1 << 16
	MaxCuts   = 1 << 16
	MaxPoints = 256 // of one value or cut
	MaxTables = 1 << 17
)

var (
	// ErrFile is wrapped when a File cannot be read as one; the error says why.
	ErrFile = errors.New("bad calibration file")
	// ErrForeign is wrapped when a File was measured on another graph than the one that it is to be used with.
	ErrForeign = errors.New("calibration of another model")
)

// File is what calibration found for one model at one set of input shapes.
type File struct {
	Version int `json:"version"`
	// Model is the model's name; Digest the hexadecimal identity of its canonical graph.
	Model  string `json:"model"`
	Digest string `json:"digest"`
	// Shapes are those of the model's inputs, by name: another shape is another graph.
	Shapes map[string][]int `json:"shapes,omitempty"`
	// Task is how the answers were compared: see Tasks.
	Task string `json:"task"`
	// Fitted and Judged count the samples that made the tables and that the figures are over.
	Fitted int `json:"fitted_samples"`
	Judged int `json:"judged_samples"`
	// Goal is what the choices of values and cuts were made by; nil when nothing was asked for.
	Goal   *Goal   `json:"goal,omitempty"`
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
	// Choice is the codec of the point that meets the file's goal best; "" without a goal, or when none meets it.
	Choice string `json:"choice,omitempty"`
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
	// Choice is that of Value for the whole boundary.
	Choice string `json:"choice,omitempty"`
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
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	return Parse(b)
}

// Parse is Read from memory.
func Parse(b []byte) (*File, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrFile, MaxFile)
	}
	f := &File{}
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if f.Version != Version {
		return nil, fmt.Errorf("%w: version is %d, this side reads %d", ErrFile, f.Version, Version)
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if _, err := f.Coder(); err != nil {
		return nil, err
	}
	return f, nil
}

// check holds what f says against the limits and itself, tables' contents excepted.
func (f *File) check() error {
	if len(f.Values) > MaxValues || len(f.Cuts) > MaxCuts || len(f.Tables) > MaxTables {
		return fmt.Errorf("%d values, %d cuts, %d tables; limits %d, %d, %d", len(f.Values), len(f.Cuts), len(f.Tables), MaxValues, MaxCuts, MaxTables)
	}
	if b, err := hex.DecodeString(f.Digest); err != nil || len(b) != sha256.Size {
		return fmt.Errorf("digest %.80q is not that of a graph", f.Digest)
	}
	seen := make(map[string]bool, len(f.Values))
	for i := range f.Values {
		v := &f.Values[i]
		if seen[v.Name] || v.Elements < 0 {
			return fmt.Errorf("value %.80q: given twice, or of %d elements", v.Name, v.Elements)
		}
		seen[v.Name] = true
		if err := f.checkPoints(v.Points); err != nil {
			return fmt.Errorf("value %.80q: %w", v.Name, err)
		}
	}
	for i := range f.Cuts {
		if err := f.checkPoints(f.Cuts[i].Points); err != nil {
			return fmt.Errorf("cut after group %d: %w", f.Cuts[i].Front, err)
		}
	}
	return nil
}

// checkPoints demands codecs that exist, tables that the file holds, and figures that can be true.
func (f *File) checkPoints(points []Point) error {
	if len(points) > MaxPoints {
		return fmt.Errorf("%d points, limit %d", len(points), MaxPoints)
	}
	for _, p := range points {
		s, err := codec.Parse(p.Codec)
		if err != nil {
			return err
		}
		if id, ok := s.Params["table"]; ok && f.Tables[id] == nil {
			return fmt.Errorf("codec %s: the file has no such table", p.Codec)
		}
		const most = 1 << 50 // of any figure: far beyond what is true, and still exact in every unit
		for _, x := range []float64{p.Bytes, p.Bits, p.EncodeNS, p.DecodeNS, p.Error, p.Effect.Error} {
			if !(x >= 0 && x <= most) {
				return fmt.Errorf("codec %s: a figure is %g", p.Codec, x)
			}
		}
		if !(p.Effect.Agreement >= -1 && p.Effect.Agreement <= 1) {
			return fmt.Errorf("codec %s: agreement is %g", p.Codec, p.Effect.Agreement)
		}
	}
	return nil
}

// Fits is nil when f was measured on the graph of this hexadecimal digest, else an error that wraps ErrForeign.
func (f *File) Fits(digest string) error {
	if f.Digest == digest {
		return nil
	}
	return fmt.Errorf("%w: it was measured on graph %.12s, the model's is %.12s: run cleave calibrate on this model again", ErrForeign, f.Digest, digest)
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

// Point is the point of that codec; nil when there is none.
func (v *Value) Point(codec string) *Point {
	for i := range v.Points {
		if v.Points[i].Codec == codec {
			return &v.Points[i]
		}
	}
	return nil
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
