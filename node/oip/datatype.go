package oip

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

var datatypes = map[string]tensor.DType{
	"BOOL": tensor.Bool, "UINT8": tensor.Uint8, "UINT16": tensor.Uint16, "UINT32": tensor.Uint32, "UINT64": tensor.Uint64,
	"INT8": tensor.Int8, "INT16": tensor.Int16, "INT32": tensor.Int32, "INT64": tensor.Int64,
	"FP16": tensor.Float16, "BF16": tensor.BFloat16, "FP32": tensor.Float32, "FP64": tensor.Float64, "BYTES": tensor.String,
}

var names = func() map[tensor.DType]string {
	m := make(map[tensor.DType]string, len(datatypes))
	for name, d := range datatypes {
		m[d] = name
	}
	return m
}()

// ParseDatatype is the element type that the protocol calls name.
func ParseDatatype(name string) (tensor.DType, error) {
	d, ok := datatypes[name]
	if !ok {
		return tensor.Invalid, fmt.Errorf("unknown datatype %q", name)
	}
	return d, nil
}

// Datatype is the protocol's name of d, or an error for element types that the protocol does not have.
func Datatype(d tensor.DType) (string, error) {
	name, ok := names[d]
	if !ok {
		return "", fmt.Errorf("element type %s does not exist in the Open Inference Protocol", d)
	}
	return name, nil
}
