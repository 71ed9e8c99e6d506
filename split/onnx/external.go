package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// externalFiles are the open files of a model's external data, all inside one directory.
type externalFiles struct {
	root  *os.Root
	files map[string]*os.File
}

func (e *externalFiles) close() {
	for _, f := range e.files {
		f.Close()
	}
	if e.root != nil {
		e.root.Close()
	}
}

// open opens location, which must lie in dir however its path and symbolic links go.
func (e *externalFiles) open(dir, location string) (*os.File, error) {
	if f := e.files[location]; f != nil {
		return f, nil
	}
	if e.root == nil {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		e.root, e.files = root, map[string]*os.File{}
	}
	if info, err := e.root.Stat(location); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is no regular file", location)
	}
	f, err := e.root.Open(location)
	if err != nil {
		return nil, err
	}
	e.files[location] = f
	return f, nil
}

// external reads the contents of p from the file that it names.
func (r *reader) external(p *onnxpb.TensorProto, d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	var location string
	var offset int64
	want, err := tensor.Bytes(d, shape)
	if err != nil {
		return nil, err
	}
	length := int64(want)
	for _, kv := range p.ExternalData {
		var err error
		switch kv.Key {
		case "location":
			location = kv.Value
		case "offset":
			offset, err = strconv.ParseInt(kv.Value, 10, 64)
		case "length":
			length, err = strconv.ParseInt(kv.Value, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: external data: %s %q is no number", split.ErrInvalid, kv.Key, kv.Value)
		}
	}
	if location == "" {
		return nil, fmt.Errorf("%w: external data without a location", split.ErrInvalid)
	}
	if r.dir == "" {
		return nil, fmt.Errorf("%w: external data %q: the model was given without its directory", split.ErrInvalid, location)
	}
	if offset < 0 || length != int64(want) {
		return nil, fmt.Errorf("%w: external data %q: offset %d, length %d, but %s %v needs %d bytes", split.ErrInvalid, location,
			offset, length, d, shape, want)
	}
	f, err := r.files.open(r.dir, location)
	if r.made != nil && errors.Is(err, fs.ErrNotExist) {
		return r.made.weights(d, shape)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: external data %q: %v", split.ErrInvalid, location, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	if info.Size()-offset < length {
		return nil, fmt.Errorf("%w: external data %q has %d bytes, but %d from %d on are needed: the file is cut short: fetch it again",
			split.ErrInvalid, location, info.Size(), length, offset)
	}
	if whole, err := mapFile(f, info); err == nil {
		return tensor.FromMapped(d, shape, whole[offset:offset+length:offset+length])
	}
	data := tensor.AlignedBytes(want)
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, length), data); err != nil {
		return nil, fmt.Errorf("external data %q: %w", location, err)
	}
	return tensor.FromBytes(d, shape, data)
}
