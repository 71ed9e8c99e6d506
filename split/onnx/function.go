package onnx

import (
	"fmt"

	"github.com/cleave-mesh/cleave/internal/onnxpb"
	"github.com/cleave-mesh/cleave/split"
)

// call inlines function f at node n: the body's ops go to the caller's graph, its values and ops with the node's name in front.
func (s *scope) call(n *onnxpb.NodeProto, f *onnxpb.FunctionProto) error {
	if s.depth >= MaxDepth {
		return nodeError(n, fmt.Errorf("%w: functions call each other deeper than %d, or themselves", split.ErrLimit, MaxDepth))
	}
	if len(n.Input) > len(f.Input) || len(n.Output) > len(f.Output) {
		return nodeError(n, fmt.Errorf("%w: function %q has %d inputs and %d outputs, the call gives %d and %d", split.ErrInvalid, f.Name,
			len(f.Input), len(f.Output), len(n.Input), len(n.Output)))
	}
	opset, err := opsets(f.OpsetImport)
	if err != nil {
		return nodeError(n, err)
	}
	for domain, version := range opset {
		if domain != "" {
			s.r.opset[domain] = max(s.r.opset[domain], version)
		}
	}
	name := n.Name
	if name == "" {
		name = fmt.Sprintf("%s_%d", f.Name, s.r.ops)
	}
	body := &scope{
		r: s.r, b: s.b, vars: map[string]split.ValueID{}, opset: opset, prefix: s.prefix + name + "/",
		attrs: map[string]*onnxpb.AttributeProto{}, depth: s.depth + 1,
	}
	for _, a := range f.AttributeProto {
		body.attrs[a.Name] = a
	}
	for _, a := range n.Attribute {
		if a.RefAttrName != "" {
			if given := s.attrs[a.RefAttrName]; given != nil {
				body.attrs[a.Name] = given
			}
			continue
		}
		body.attrs[a.Name] = a
	}
	for i, formal := range f.Input {
		id := split.None
		if i < len(n.Input) && n.Input[i] != "" {
			if id, err = s.lookup(n.Input[i]); err != nil {
				return nodeError(n, err)
			}
		}
		body.vars[formal] = id
	}
	if err := body.declare(f.Node, nil); err != nil {
		return nodeError(n, err)
	}
	for _, inner := range f.Node {
		if err := body.node(inner); err != nil {
			return fmt.Errorf("function %q called by %q: %w", f.Name, name, err)
		}
	}
	for i, actual := range n.Output {
		if actual == "" {
			continue
		}
		id, ok := body.vars[f.Output[i]]
		if !ok || id == split.None {
			return nodeError(n, fmt.Errorf("%w: function %q does not compute its output %q", split.ErrInvalid, f.Name, f.Output[i]))
		}
		s.b.Add(split.Op{Name: name + "/" + actual, Type: "Identity", Inputs: []split.ValueID{id}, Outputs: []split.ValueID{s.vars[actual]}})
	}
	return nil
}
