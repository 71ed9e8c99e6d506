package topology

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Error is the first thing wrong with a topology file.
type Error struct {
	// Line is where it is, from 1; 0 when it is nowhere in particular.
	Line int
	// Field is the path of the field, such as "links[0].bandwidth"; "" for the file as a whole.
	Field string
	// Problem says what is wrong and what to write instead.
	Problem string
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	return b.String() + e.Problem
}

// reader walks a YAML tree and remembers the first error and where every field stands.
type reader struct {
	err   error
	lines map[string]int
}

// field reads one field's node; path is the field's own.
type field func(n ast.Node, path string)

// parseTree returns the root of a document's tree, nil for an empty one.
func parseTree(data []byte) (ast.Node, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		var se *yaml.SyntaxError
		if errors.As(err, &se) {
			line := 0
			if se.Token != nil && se.Token.Position != nil {
				line = se.Token.Position.Line
			}
			return nil, &Error{Line: line, Problem: "not valid YAML: " + se.Message}
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, &Error{Problem: "not valid YAML: " + first}
	}
	var root ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case root != nil:
			return nil, &Error{Line: lineOf(d.Body), Problem: "a second document: put everything into one"}
		default:
			root = d.Body
		}
	}
	return root, nil
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// fail keeps the first error; an *Error of a unit's parser gains the place.
func (r *reader) fail(path string, line int, problem string) {
	if r.err == nil {
		r.err = &Error{Line: line, Field: path, Problem: problem}
	}
}

// object reads a mapping whose keys must all be in fields.
func (r *reader) object(n ast.Node, path string, fields map[string]field) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.fail(path, lineOf(n), "not a set of fields: write one of "+known(fields)+", each as name: value")
		return
	}
	r.lines[path] = lineOf(n)
	seen := map[string]bool{}
	for _, p := range pairs {
		key := p.Key.String()
		at := join(path, key)
		line := lineOf(p.Key)
		read, ok := fields[key]
		switch {
		case !ok:
			r.fail(at, line, "unknown field: the fields here are "+known(fields))
			return
		case seen[key]:
			r.fail(at, line, "given twice: keep one")
			return
		}
		seen[key] = true
		r.lines[at] = line
		if read(p.Value, at); r.err != nil {
			return
		}
	}
}

// list reads a sequence of mappings.
func (r *reader) list(n ast.Node, path string, item field) {
	if _, ok := n.(*ast.NullNode); ok {
		return
	}
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(path, lineOf(n), "not a list: write each entry on a line that begins with \"- \"")
		return
	}
	if len(s.Values) > maxEntries {
		r.fail(path, lineOf(n), fmt.Sprintf("%d entries: at most %d are read", len(s.Values), maxEntries))
		return
	}
	for i, v := range s.Values {
		if item(v, fmt.Sprintf("%s[%d]", path, i)); r.err != nil {
			return
		}
	}
}

// scalar is a field of one word, number or string, which set reads.
func (r *reader) scalar(set func(text string) error) field {
	return func(n ast.Node, path string) {
		s, ok := n.(ast.ScalarNode)
		if _, null := n.(*ast.NullNode); !ok || null {
			r.fail(path, lineOf(n), "not a value: write one on the same line")
			return
		}
		if err := set(strings.TrimSpace(n.GetToken().Value)); err != nil {
			r.fail(path, lineOf(s), err.Error())
		}
	}
}

// text is a field of one string.
func (r *reader) text(to *string) field {
	return r.scalar(func(s string) error {
		if s == "" {
			return errors.New("empty: give it a value or leave the field out")
		}
		*to = s
		return nil
	})
}

// flag is a field that is true or false.
func (r *reader) flag(to *bool) field {
	return r.scalar(func(s string) error {
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false: write one of them", s)
		}
		*to = s == "true"
		return nil
	})
}

// quantity is a field that parse turns from text into a T.
func quantity[T any](r *reader, to *T, parse func(string) (T, error)) field {
	return r.scalar(func(s string) error {
		v, err := parse(s)
		*to = v
		return err
	})
}

// optional is a quantity that remembers whether it was given.
func optional[T any](r *reader, to **T, parse func(string) (T, error)) field {
	return r.scalar(func(s string) error {
		v, err := parse(s)
		*to = &v
		return err
	})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func known(fields map[string]field) string {
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}
