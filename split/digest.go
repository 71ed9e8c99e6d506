package split

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// canonicalVersion changes whenever Canonicalize may make another graph of the same model, so that nodes of different
// builds do not take their graphs for the same.
const canonicalVersion = 1

// Digest identifies g: ops, attributes, values with their types, constants bit for bit, and groups. Equal digests mean
// that the same cut of both graphs means the same. It reads every constant, so callers keep the result.
func (g *Graph) Digest() [32]byte {
	d := digester{h: sha256.New()}
	d.int(canonicalVersion)
	d.graph(g)
	var out [32]byte
	d.h.Sum(out[:0])
	return out
}

// digester writes an unambiguous encoding: every string and list has its length in front.
type digester struct {
	h   hash.Hash
	buf [8]byte
}

func (d *digester) int(n int64) {
	binary.LittleEndian.PutUint64(d.buf[:], uint64(n))
	d.h.Write(d.buf[:])
}

func (d *digester) str(s string) {
	d.int(int64(len(s)))
	d.h.Write([]byte(s))
}

func (d *digester) graph(g *Graph) {
	d.str(g.Name)
	d.int(int64(len(g.Opset)))
	for _, domain := range sortedKeys(g.Opset) {
		d.str(domain)
		d.int(int64(g.Opset[domain]))
	}
	d.int(int64(len(g.Values)))
	for i := range g.Values {
		v := &g.Values[i]
		d.str(v.Name)
		d.typ(v.Type())
		d.tensor(v.Const)
	}
	for _, list := range [][]ValueID{g.Inputs, g.Outputs, g.Captured} {
		d.ids(list)
	}
	d.int(int64(len(g.Ops)))
	for i := range g.Ops {
		o := &g.Ops[i]
		d.str(o.Name)
		d.str(o.Domain)
		d.str(o.Type)
		d.ids(o.Inputs)
		d.ids(o.Outputs)
		d.ids(o.Captures)
		d.int(int64(len(o.Attrs)))
		for _, name := range o.attrNames() {
			d.str(name)
			d.attr(o.Attrs[name])
		}
	}
	d.int(int64(len(g.Groups)))
	for i := range g.Groups {
		gr := &g.Groups[i]
		d.str(gr.Name)
		d.str(gr.Pattern)
		d.int(int64(len(gr.Ops)))
		for _, op := range gr.Ops {
			d.int(int64(op))
		}
	}
}

func (d *digester) ids(list []ValueID) {
	d.int(int64(len(list)))
	for _, v := range list {
		d.int(int64(v))
	}
}

func (d *digester) typ(t Type) {
	d.int(int64(t.Kind))
	d.int(int64(t.DType))
	if t.Shape == nil {
		d.int(-1)
	} else {
		d.int(int64(len(t.Shape)))
		for _, n := range t.Shape {
			d.int(int64(n))
		}
	}
	d.int(int64(len(t.Params)))
	for _, p := range t.Params {
		d.str(p)
	}
	if t.Elem == nil {
		d.int(0)
		return
	}
	d.int(1)
	d.typ(*t.Elem)
}

func (d *digester) tensor(t *tensor.Tensor) {
	if t == nil {
		d.int(0)
		return
	}
	d.int(1)
	d.typ(Type{DType: t.DType(), Shape: t.Shape()})
	d.int(int64(len(t.Bytes())))
	d.h.Write(t.Bytes())
	for _, s := range t.Strings() {
		d.str(s)
	}
}

// attr writes a value with a number for its Go type in front.
func (d *digester) attr(a Attr) {
	switch a := a.(type) {
	case int64:
		d.int(1)
		d.int(a)
	case float32:
		d.int(2)
		d.int(int64(math.Float32bits(a)))
	case string:
		d.int(3)
		d.str(a)
	case *tensor.Tensor:
		d.int(4)
		d.tensor(a)
	case *Graph:
		d.int(5)
		d.graph(a)
	case *Type:
		d.int(6)
		d.typ(*a)
	case []int64:
		digestList(d, 7, a)
	case []float32:
		digestList(d, 8, a)
	case []string:
		digestList(d, 9, a)
	case []*tensor.Tensor:
		digestList(d, 10, a)
	case []*Graph:
		digestList(d, 11, a)
	case []*Type:
		digestList(d, 12, a)
	}
}

func digestList[T any](d *digester, tag int64, list []T) {
	d.int(tag)
	d.int(int64(len(list)))
	for _, x := range list {
		d.attr(x)
	}
}
