package onnx

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cleave-mesh/cleave/split"
)

// The protobuf library copies every byte field, and a model is little else than byte fields: the raw_data of its tensors.
// So the reader first carves them out. It copies the file without them to a skeleton, in which each raw_data is the
// four-byte index of a slice of the file, and parses that.

// message is a kind of protobuf message through which the way to a tensor leads.
type message uint8

const (
	modelMessage message = iota
	graphMessage
	nodeMessage
	attributeMessage
	functionMessage
	sparseMessage
	tensorMessage
)

// carved is, for each kind of message, the fields that hold others.
var carved = [...]map[protowire.Number]message{
	modelMessage:     {7: graphMessage, 25: functionMessage},
	graphMessage:     {1: nodeMessage, 5: tensorMessage, 15: sparseMessage},
	nodeMessage:      {5: attributeMessage},
	attributeMessage: {5: tensorMessage, 6: graphMessage, 10: tensorMessage, 11: graphMessage, 22: sparseMessage, 23: sparseMessage},
	functionMessage:  {7: nodeMessage, 11: attributeMessage},
	sparseMessage:    {1: tensorMessage, 2: tensorMessage},
	tensorMessage:    nil,
}

// rawData is TensorProto's field, trainingInfo ModelProto's, which the reader has no use for.
const (
	rawData      protowire.Number = 9
	trainingInfo protowire.Number = 20
)

// carver makes a skeleton and the slices that are missing in it.
type carver struct {
	skeleton []byte
	raw      [][]byte
}

// add appends message b of this kind to the skeleton.
func (c *carver) add(b []byte, kind message, depth int) error {
	if depth > maxMessageDepth {
		return fmt.Errorf("%w: messages nest deeper than %d", split.ErrLimit, maxMessageDepth)
	}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %v", ErrFormat, protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return fmt.Errorf("%w: %v", ErrFormat, protowire.ParseError(m))
		}
		field := b[:n+m]
		b = b[n+m:]
		inner, isMessage := carved[kind][num]
		switch {
		case typ != protowire.BytesType:
			c.skeleton = append(c.skeleton, field...)
		case kind == modelMessage && num == trainingInfo:
		case kind == tensorMessage && num == rawData:
			value, _ := protowire.ConsumeBytes(field[n:])
			c.skeleton = protowire.AppendTag(c.skeleton, rawData, protowire.BytesType)
			c.skeleton = protowire.AppendBytes(c.skeleton, binary.LittleEndian.AppendUint32(nil, uint32(len(c.raw))))
			c.raw = append(c.raw, value)
		case isMessage:
			value, _ := protowire.ConsumeBytes(field[n:])
			c.skeleton = protowire.AppendTag(c.skeleton, num, protowire.BytesType)
			if err := c.addSized(value, inner, depth+1); err != nil {
				return err
			}
		default:
			c.skeleton = append(c.skeleton, field...)
		}
	}
	return nil
}

// addSized is add with the length in front, which is known only afterwards.
func (c *carver) addSized(b []byte, kind message, depth int) error {
	from := len(c.skeleton)
	if err := c.add(b, kind, depth); err != nil {
		return err
	}
	size := len(c.skeleton) - from
	width := protowire.SizeVarint(uint64(size))
	c.skeleton = append(c.skeleton, make([]byte, width)...)
	copy(c.skeleton[from+width:], c.skeleton[from:from+size])
	protowire.AppendVarint(c.skeleton[:from], uint64(size))
	return nil
}

// restore is the raw data that index, a raw_data of the skeleton, stands for.
func (r *reader) restore(index []byte) ([]byte, error) {
	if r.raw == nil || len(index) == 0 {
		return index, nil
	}
	if len(index) != 4 || binary.LittleEndian.Uint32(index) >= uint32(len(r.raw)) {
		return nil, fmt.Errorf("%w: raw data out of place", ErrFormat)
	}
	return r.raw[binary.LittleEndian.Uint32(index)], nil
}
