package split

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid is wrapped when a graph breaks ONNX's rules: a cycle, a missing input, a value defined twice, shapes or types
	// that do not fit the op. The error names the op or value.
	ErrInvalid = errors.New("invalid model")
	// ErrUnknownOp is wrapped when a graph uses an operator that Cleave does not know.
	ErrUnknownOp = errors.New("unknown operator")
	// ErrLimit is wrapped when a model asks for more than a named limit of this package.
	ErrLimit = errors.New("limit exceeded")
	// ErrNotConvex is wrapped by Graph.Stage when a path leaves the set of groups and comes back.
	ErrNotConvex = errors.New("groups are not convex")
)

// OpError says at which op of a graph something went wrong.
type OpError struct {
	Op   string // the op's name, or its first output's where it has none
	Type string // the op's type, with its domain when that is not ONNX's own
	Err  error
}

// Error names the op, then what is wrong.
func (e *OpError) Error() string { return fmt.Sprintf("op %q (%s): %v", e.Op, e.Type, e.Err) }

// Unwrap is the error without its place.
func (e *OpError) Unwrap() error { return e.Err }

// opError places err at o; nil stays nil and an error that has a place keeps it.
func (g *Graph) opError(o *Op, err error) error {
	if err == nil {
		return nil
	}
	var placed *OpError
	if errors.As(err, &placed) {
		return err
	}
	name := o.Name
	if name == "" {
		for _, v := range o.Outputs {
			if v >= 0 && int(v) < len(g.Values) {
				name = g.Values[v].Name
				break
			}
		}
	}
	return &OpError{Op: name, Type: o.fullType(), Err: err}
}

// fullType is the type with its domain in front when that is not ONNX's own.
func (o *Op) fullType() string {
	if o.Domain == "" {
		return o.Type
	}
	return o.Domain + "." + o.Type
}

// invalid is an error that wraps ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
