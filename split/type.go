package split

import (
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Type is what a value is before it has contents: a tensor of an element type and shape, or a sequence or optional of
// another type.
type Type struct {
	Kind Kind
	// DType, Shape and Params are a tensor's, as in Value.
	DType  tensor.DType
	Shape  tensor.Shape
	Params []string
	// Elem is the element type of a sequence or optional; nil when it is not known.
	Elem *Type
}

// Type is the value's type.
func (v *Value) Type() Type {
	return Type{Kind: v.Kind, DType: v.DType, Shape: v.Shape, Params: v.Params, Elem: v.Elem}
}

// SetType gives v the type t, which v keeps.
func (v *Value) SetType(t Type) {
	v.Kind, v.DType, v.Shape, v.Params, v.Elem = t.Kind, t.DType, t.Shape, t.Params, t.Elem
}

// String prints for example "float32 1x16x?x88", "sequence(int64 ?)" and "float32 *" when not even the rank is known.
func (t Type) String() string {
	switch t.Kind {
	case SequenceKind, OptionalKind:
		elem := "?"
		if t.Elem != nil {
			elem = t.Elem.String()
		}
		return t.Kind.String() + "(" + elem + ")"
	}
	d := "?"
	if t.DType != tensor.Invalid {
		d = t.DType.String()
	}
	if t.Shape == nil {
		return d + " *"
	}
	if len(t.Shape) == 0 {
		return d + " scalar"
	}
	var b strings.Builder
	for i, n := range t.Shape {
		if i > 0 {
			b.WriteByte('x')
		}
		if n < 0 && i < len(t.Params) && t.Params[i] != "" {
			b.WriteString(t.Params[i])
		} else {
			b.WriteString(tensor.Shape{n}.String())
		}
	}
	return d + " " + b.String()
}

// String is "tensor", "sequence" or "optional".
func (k Kind) String() string {
	switch k {
	case SequenceKind:
		return "sequence"
	case OptionalKind:
		return "optional"
	}
	return "tensor"
}
