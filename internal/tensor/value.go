package tensor

// Value is what flows along an edge of a model: a *Tensor, a *Sequence or an *Optional. Only a *Tensor may cross a stage
// boundary.
type Value interface{ isValue() }

// Sequence is an ONNX sequence: values of one kind, in order.
type Sequence struct{ Items []Value }

// Optional is an ONNX optional; a nil Item means that it is empty.
type Optional struct{ Item Value }

func (*Tensor) isValue()   {}
func (*Sequence) isValue() {}
func (*Optional) isValue() {}
