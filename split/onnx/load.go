package onnx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/split"
)

// ErrFormat is wrapped when bytes are not an ONNX file at all, or a damaged one.
var ErrFormat = errors.New("not a readable ONNX file")

// Load reads the model at path; external data lies in the file's directory. Shapes are as the model declares them: see
// split.Specialize. Constants share the file's mapping, or the one buffer that it was read into where the system maps no files.
// A file that is mapped must not be written or shortened in place as long as the process lives (see mapFile); replace it by renaming.
func Load(path string) (*split.Graph, error) { return load(path, filepath.Dir(path), nil) }

// LoadAlone is Load for a model that must lie in its one file, as one from a peer must: external data is refused.
func LoadAlone(path string) (*split.Graph, error) { return load(path, "", nil) }

// load is Load with the directory of external data and what makes up the missing of it.
func load(path, dir string, made *generator) (*split.Graph, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load model: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("load model %s: %w: it is no regular file", path, ErrFormat)
	}
	if info.Size() > MaxModelBytes {
		return nil, fmt.Errorf("load model %s: %w: %d bytes, the limit is %d: export it with external data", path, split.ErrLimit,
			info.Size(), int64(MaxModelBytes))
	}
	buf, mapped, err := contentsOf(f, info)
	if err != nil {
		return nil, fmt.Errorf("load model: read %s: %w", path, err)
	}
	g, err := decode(buf, dir, source{owned: !mapped, mapped: mapped, made: made})
	if mapped {
		coolFile(buf)
	}
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", path, err)
	}
	return g, nil
}

// Decode reads a model from memory, which the graph's constants keep and share. dir is where external data lies; when it is
// empty a model with external data is refused.
func Decode(model []byte, dir string) (*split.Graph, error) {
	if len(model) > MaxModelBytes {
		return nil, fmt.Errorf("decode model: %w: %d bytes, the limit is %d", split.ErrLimit, len(model), int64(MaxModelBytes))
	}
	g, err := decode(model, dir, source{})
	if err != nil {
		return nil, fmt.Errorf("decode model: %w", err)
	}
	return g, nil
}

// source says what a reader may do with a model's bytes, and without them.
type source struct {
	owned  bool       // the bytes may be changed
	mapped bool       // they are a file's mapping
	made   *generator // makes up what is missing of external data; nil when that is an error
}

// decode reads a model.
func decode(buf []byte, dir string, from source) (*split.Graph, error) {
	c := &carver{raw: [][]byte{}}
	if err := c.add(buf, modelMessage, 0); err != nil {
		return nil, err
	}
	m := &onnxpb.ModelProto{}
	if err := unmarshal(c.skeleton, m); err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, fmt.Errorf("%w: it holds no graph", ErrFormat)
	}
	r := &reader{model: m, dir: dir, raw: c.raw, mapped: from.mapped, made: from.made}
	if from.owned {
		r.buf = buf
	}
	defer r.close()
	return r.read()
}

// unmarshal parses buf into m.
func unmarshal(buf []byte, m proto.Message) error {
	if err := (proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxMessageDepth}).Unmarshal(buf, m); err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	return nil
}

// maxMessageDepth is how deep protobuf messages may nest: a subgraph or type takes a few levels.
const maxMessageDepth = 4 * MaxDepth
