package onnx

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

const (
	// minExternal is the smallest constant that goes to a file of external data, so that what shapes may depend on stays inside.
	minExternal = 1 << 10
	// externalAlign is where constants begin in it: at pages of systems that map it.
	externalAlign = 4096
)

// Save writes g to path as Encode does, and its large constants to path.data beside it when they are more than a model
// file may hold. Both files are written beside their final names and moved there when they are whole.
func Save(path string, g *split.Graph) error {
	if err := save(path, g, MaxModelBytes); err != nil {
		return fmt.Errorf("save model %s: %w", path, err)
	}
	return nil
}

func save(path string, g *split.Graph, limit int64) error {
	e := &encoder{}
	if constantBytes(g) > limit {
		name := path + ".data"
		err := replace(name, func(w io.Writer) error {
			b := bufio.NewWriterSize(w, 1<<20)
			e.external = &externalWriter{location: filepath.Base(name), w: b}
			model, err := e.model(g)
			if err != nil {
				return err
			}
			if err := b.Flush(); err != nil {
				return err
			}
			return replace(path, func(w io.Writer) error {
				_, err := w.Write(model)
				return err
			})
		})
		return err
	}
	model, err := e.model(g)
	if err != nil {
		return err
	}
	return replace(path, func(w io.Writer) error {
		_, err := w.Write(model)
		return err
	})
}

// replace writes a new file by f and gives it the name path.
func replace(path string, f func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing is there once it is moved
	if err := f(tmp); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// externalWriter is a file of external data.
type externalWriter struct {
	location string
	w        io.Writer
	at       int64
}

// constant is t as the format's message; its contents go to the external data when they are large and there is one.
func (e *encoder) constant(name string, t *tensor.Tensor) (*onnxpb.TensorProto, error) {
	p := TensorProto(name, t)
	if e.external == nil || len(p.RawData) < minExternal {
		return p, nil
	}
	x := e.external
	pad := make([]byte, -x.at&(externalAlign-1))
	x.at += int64(len(pad))
	p.DataLocation = onnxpb.TensorProto_EXTERNAL
	p.ExternalData = []*onnxpb.StringStringEntryProto{
		{Key: "location", Value: x.location},
		{Key: "offset", Value: strconv.FormatInt(x.at, 10)},
		{Key: "length", Value: strconv.Itoa(len(p.RawData))},
	}
	for _, b := range [][]byte{pad, p.RawData} {
		if _, err := x.w.Write(b); err != nil {
			return nil, err
		}
	}
	x.at += int64(len(p.RawData))
	p.RawData = nil
	return p, nil
}
