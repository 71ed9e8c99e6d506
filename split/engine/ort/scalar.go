//go:build cgo

package ort

import (
	"fmt"

	ortlib "github.com/yalue/onnxruntime_go"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split/engine"
)

// scalar is a tensor of rank 0 as the library's value, which holds a copy.
func scalar(t *tensor.Tensor) (ortlib.Value, error) {
	switch t.DType() {
	case tensor.Float32:
		return ortlib.NewScalar(tensor.Data[float32](t)[0])
	case tensor.Float64:
		return ortlib.NewScalar(tensor.Data[float64](t)[0])
	case tensor.Int64:
		return ortlib.NewScalar(tensor.Data[int64](t)[0])
	case tensor.Int32:
		return ortlib.NewScalar(tensor.Data[int32](t)[0])
	case tensor.Int8:
		return ortlib.NewScalar(tensor.Data[int8](t)[0])
	case tensor.Uint8:
		return ortlib.NewScalar(tensor.Data[uint8](t)[0])
	case tensor.Bool:
		return ortlib.NewScalar(tensor.Data[bool](t)[0])
	}
	return nil, fmt.Errorf("a scalar of type %s: %w by the ort engine", t.DType(), engine.ErrUnsupported)
}

// fromScalar stores what the library computed into t.
func fromScalar(t *tensor.Tensor, v ortlib.Value) {
	switch v := v.(type) {
	case *ortlib.Scalar[float32]:
		tensor.Data[float32](t)[0] = v.GetData()
	case *ortlib.Scalar[float64]:
		tensor.Data[float64](t)[0] = v.GetData()
	case *ortlib.Scalar[int64]:
		tensor.Data[int64](t)[0] = v.GetData()
	case *ortlib.Scalar[int32]:
		tensor.Data[int32](t)[0] = v.GetData()
	case *ortlib.Scalar[int8]:
		tensor.Data[int8](t)[0] = v.GetData()
	case *ortlib.Scalar[uint8]:
		tensor.Data[uint8](t)[0] = v.GetData()
	case *ortlib.Scalar[bool]:
		tensor.Data[bool](t)[0] = v.GetData()
	}
}
