package codec

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Spec is a codec with its parameters. The zero Spec is Raw: the tensor's own bytes.
type Spec struct {
	ID ID
	// Params are the codec's own, in the units its doc names; nil means its defaults.
	Params map[string]string
}

// maxSpec is the longest spec string in bytes that Parse reads.
const maxSpec = 1024

// Parse reads "name" or "name:key=value,key=value". It fails with an error that wraps ErrSpec on an unknown codec or
// parameter, a repeated key or a bad value.
func Parse(text string) (Spec, error) {
	if len(text) > maxSpec {
		return Spec{}, fmt.Errorf("%w: %d bytes long, limit %d", ErrSpec, len(text), maxSpec)
	}
	name, rest, has := strings.Cut(text, ":")
	c, err := Lookup(name)
	if err != nil {
		return Spec{}, err
	}
	s := Spec{ID: c.ID()}
	if has {
		s.Params = map[string]string{}
		for item := range strings.SplitSeq(rest, ",") {
			key, value, ok := strings.Cut(item, "=")
			if !ok || key == "" || value == "" {
				return Spec{}, fmt.Errorf("%w: %q is not key=value", ErrSpec, item)
			}
			if _, twice := s.Params[key]; twice {
				return Spec{}, fmt.Errorf("%w: %q is given twice", ErrSpec, key)
			}
			s.Params[key] = value
		}
	}
	if err := coders[s.ID].(checker).check(params(s.Params)); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// String is the inverse of Parse, with the parameters in alphabetical order.
func (s Spec) String() string {
	var b strings.Builder
	if int(s.ID) >= len(coders) {
		fmt.Fprintf(&b, "codec(%d)", uint8(s.ID))
	} else {
		b.WriteString(coders[s.ID].Name())
	}
	sep := byte(':')
	for _, key := range slices.Sorted(maps.Keys(s.Params)) {
		b.WriteByte(sep)
		b.WriteString(key)
		b.WriteByte('=')
		b.WriteString(s.Params[key])
		sep = ','
	}
	return b.String()
}

// Lossless reports whether decoding gives back the very bits.
func (s Spec) Lossless() bool { return int(s.ID) < len(coders) && coders[s.ID].Lossless(s.Params) }

// With is s with one parameter set; s itself is not changed.
func (s Spec) With(key, value string) Spec {
	p := maps.Clone(s.Params)
	if p == nil {
		p = map[string]string{}
	}
	p[key] = value
	return Spec{ID: s.ID, Params: p}
}

// checker is implemented by every coder: check validates names and values of parameters without a tensor.
type checker interface{ check(p params) error }

// params is a Spec's parameters, read with their units checked.
type params map[string]string

// only fails when p has a key that is not among keys or in every codec's list.
func (p params) only(keys ...string) error {
	for key := range p {
		if key != "chunk" && !slices.Contains(keys, key) {
			return fmt.Errorf("%w: unknown parameter %q", ErrSpec, key)
		}
	}
	_, err := p.chunk()
	return err
}

// integer is p[key] in [lo, hi], or def when it is absent.
func (p params) integer(key string, def, lo, hi int) (int, error) {
	text, ok := p[key]
	if !ok {
		return def, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lo || v > hi {
		return 0, fmt.Errorf("%w: %s=%q is not an integer in [%d, %d]", ErrSpec, key, text, lo, hi)
	}
	return v, nil
}

// number is p[key] as a finite number in [lo, hi], or def when it is absent.
func (p params) number(key string, def, lo, hi float64) (float64, error) {
	text, ok := p[key]
	if !ok {
		return def, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < lo || v > hi {
		return 0, fmt.Errorf("%w: %s=%q is not a number in [%g, %g]", ErrSpec, key, text, lo, hi)
	}
	return v, nil
}

// choice is p[key], which must be among the options; the first is the default.
func (p params) choice(key string, options ...string) (string, error) {
	text, ok := p[key]
	if !ok {
		return options[0], nil
	}
	if !slices.Contains(options, text) {
		return "", fmt.Errorf("%w: %s=%q is not one of %s", ErrSpec, key, text, strings.Join(options, ", "))
	}
	return text, nil
}

// chunk is the number of elements of a chunk, which every codec takes as chunk=N.
func (p params) chunk() (int, error) {
	return p.integer("chunk", DefaultChunk, MinChunk, MaxChunk)
}
