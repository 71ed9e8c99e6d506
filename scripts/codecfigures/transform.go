package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
)

// languageModels are the shared models whose cuts are rows of features, some of which are outliers.
var languageModels = []string{"stories260K", "use-lite", "kwt1", "ppocr-v4-rec"}

// transformSpecs are the codecs that a Hadamard transform is tried in front of.
var transformSpecs = []string{"int4", "int4:axis=%d", "int4:group=64", "int3:axis=%d", "uniform:rel=0.5"}

// transforms prints what an orthonormal Hadamard transform of the channels does to low-bit codecs, on the cuts of real models:
// the relative error and the bits per element, median over the values, without and with the transform.
func transforms(ctx context.Context, w io.Writer, models string, maxCuts int) error {
	fmt.Fprintf(w, "## Hadamard transform of the channels in front of quantisation\n\nOver groups of 2^k channels, the largest that divides their number, at most 64. "+
		"Error is the relative one of the value, after the inverse transform; medians over the values.\n\n")
	fmt.Fprintf(w, "| models | values | codec | error, plain | error, Hadamard | bits, plain | bits, Hadamard |\n|---|---:|---|---:|---:|---:|---:|\n")
	for _, set := range []struct {
		title string
		names []string
	}{{"vision", visionModels}, {"rows of features", languageModels}} {
		var values []*tensor.Tensor
		for _, name := range set.names {
			cuts, err := boundaries(ctx, filepath.Join(models, name), maxCuts)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			seen := map[string]bool{}
			for _, b := range cuts {
				for _, t := range b.values {
					axis := channelAxis(t.Shape())
					if key := fmt.Sprint(t.Shape(), t.Bytes()[:min(64, len(t.Bytes()))]); axis >= 0 && t.Len() >= 1024 && !seen[key] {
						seen[key] = true
						values = append(values, t)
					}
				}
			}
		}
		for _, spec := range transformSpecs {
			var plain, turned [2][]float64 // errors, bits
			for _, t := range values {
				text := spec
				if axis := channelAxis(t.Shape()); spec[len(spec)-1] == 'd' {
					text = fmt.Sprintf(spec, axis)
				}
				for i, into := range []*[2][]float64{&plain, &turned} {
					e, bits, err := transformed(t, text, i == 1)
					if err != nil {
						return err
					}
					into[0], into[1] = append(into[0], e), append(into[1], bits)
				}
			}
			fmt.Fprintf(w, "| %s | %d | %s | %.4f | %.4f | %.2f | %.2f |\n", set.title, len(values), strings.Replace(spec, "%d", "channels", 1),
				median(plain[0]), median(turned[0]), median(plain[1]), median(turned[1]))
		}
	}
	fmt.Fprintln(w)
	return nil
}

// channelAxis is where a value's channels lie: axis 1 of pictures, else the last; -1 where there are fewer than two.
func channelAxis(s tensor.Shape) int {
	axis := len(s) - 1
	if len(s) == 4 {
		axis = 1
	}
	if axis < 0 || s[axis]%2 != 0 {
		return -1
	}
	return axis
}

// transformed codes t, after the transform if so, and returns the relative error and the bits per element.
func transformed(t *tensor.Tensor, text string, transform bool) (relative, bits float64, err error) {
	s, err := codec.Parse(text)
	if err != nil {
		return 0, 0, err
	}
	x := t.Clone()
	if transform {
		hadamard(x)
	}
	frame, err := codec.Append(nil, x, s)
	if err != nil {
		return 0, 0, err
	}
	if err := codec.DecodeInto(x, frame, codec.Limits{}); err != nil {
		return 0, 0, err
	}
	if transform {
		hadamard(x) // its own inverse
	}
	relative, _, err = codec.Compare(t, x)
	return relative, float64(len(frame)) * 8 / float64(t.Len()), err
}

// hadamard multiplies every group of channels by the orthonormal Hadamard matrix of its size.
func hadamard(t *tensor.Tensor) {
	const most = 64
	s := t.Shape()
	axis := channelAxis(s)
	size := min(s[axis]&-s[axis], most)
	inner := 1
	for _, d := range s[axis+1:] {
		inner *= d
	}
	v, norm := tensor.Data[float32](t), float32(1/math.Sqrt(float64(size)))
	for from := 0; from < len(v); from += size * inner {
		for half := 1; half < size; half *= 2 {
			for i := 0; i < size; i += 2 * half {
				for c := i; c < i+half; c++ {
					a, b := v[from+c*inner:][:inner], v[from+(c+half)*inner:][:inner]
					for k := range a {
						a[k], b[k] = a[k]+b[k], a[k]-b[k]
					}
				}
			}
		}
		for i := range v[from : from+size*inner] {
			v[from+i] *= norm
		}
	}
}
