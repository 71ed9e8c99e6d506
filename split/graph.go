package split

import (
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// OpID is an op's index in Graph.Ops, ValueID a value's in Graph.Values, GroupID a group's in Graph.Groups.
type (
	OpID    int32
	ValueID int32
	GroupID int32
)

// None is the ValueID of an optional input or output that is left out.
const None ValueID = -1

// Graph is a computation graph in single-assignment form. Ops stand in topological order. A Graph that a function of this
// package or of package onnx returns is valid: ids are in range, every input is defined before it is used, nothing is
// defined twice. It is read-only afterwards and then safe for concurrent use.
type Graph struct {
	Name   string
	Ops    []Op
	Values []Value
	// Inputs and Outputs are the graph's own, in the model's order. Inputs excludes constants.
	Inputs, Outputs []ValueID
	// Captured is the values of a subgraph (the body of an If, Loop or Scan) that stand for values of the graph around it:
	// each has the outer value's name. A captured constant is not among them, it is a Const of the subgraph too. It is empty
	// in a model's main graph and in stages.
	Captured []ValueID
	// Opset is the version of each operator-set domain; the ONNX domain's name is "".
	Opset map[string]int
	// Groups partitions Ops into atomic groups in topological order. It is nil before Canonicalize.
	Groups []Group
	// Metadata is the model's own key-value pairs; nil when it has none.
	Metadata map[string]string
}

// Value is a tensor (or sequence, or optional) that flows along edges of the graph.
type Value struct {
	Name string
	Kind Kind
	// DType is the element type; tensor.Invalid when not inferred.
	DType tensor.DType
	// Shape has tensor.Unknown for sizes that are not known; a nil Shape means that even the rank is unknown.
	Shape tensor.Shape
	// Params names the symbolic dimensions, parallel to Shape; nil when there are none.
	Params []string
	// Elem is the element type of a sequence or optional, whose DType and Shape say nothing; nil for tensors and when unknown.
	Elem *Type
	// Const is the value itself when it is an initializer or was folded; nil otherwise.
	Const *tensor.Tensor
	// Producer is the op that computes the value; -1 for inputs, constants and values captured from an outer graph.
	Producer OpID
	// Consumers are the ops that read the value, ascending, each once.
	Consumers []OpID
}

// Kind tells tensors from ONNX's other types. Only a TensorKind value may be cut.
type Kind uint8

// The kinds of value.
const (
	TensorKind Kind = iota
	SequenceKind
	OptionalKind
)

// Op is a vertex of the graph.
type Op struct {
	Name   string
	Domain string // "" for ONNX's own
	Type   string // for example "Conv"
	// Inputs and Outputs are positional; None stands for an optional one that is absent.
	Inputs, Outputs []ValueID
	Attrs           map[string]Attr
	// Captures are the outer values that the op's subgraphs read; they count as inputs for order and cuts.
	Captures []ValueID
}

// Attr is an attribute's value: int64, float32, string, *tensor.Tensor, *Graph, *Type, or a slice of one of these.
type Attr any

// Group is a set of ops that is executed as one: a single op, or ops that engines fuse.
type Group struct {
	// Name is unique in the graph and stable for a model: the name of its last op, or type and position where it has none.
	Name string
	// Pattern says what the ops form together: "Conv+Relu", "LayerNorm", or the op's type when there is one.
	// See groups.go for the vocabulary.
	Pattern string
	Ops     []OpID
	// Fused is the same computation in fewer ops, for engines that have those: where Ops are a layer norm written out, it is one
	// LayerNormalization. It reads and writes values of the graph. Nil means that there is none shorter than Ops.
	Fused []Op
	// In and Out are the non-constant values that cross the group's border, each once, in order of first use.
	In, Out []ValueID
}
