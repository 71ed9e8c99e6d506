package split

import (
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

func imageRules() []opRule {
	return []opRule{
		{"Resize", 1, 4, 1, inferResize},
		{"GridSample", 2, 2, 1, inferGridSample},
		{"AffineGrid", 2, 2, 1, inferAffineGrid},
		{"RoiAlign", 3, 3, 1, inferRoiAlign},
		{"ImageDecoder", 1, 1, 1, inferImageDecoder},
	}
}

func inferResize(c *opContext) error {
	x := c.dims(0)
	if x == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	axes := make([]int, len(x))
	for i := range axes {
		axes[i] = i
	}
	if list := c.o.Ints("axes"); list != nil {
		axes = axes[:0]
		for _, a := range list {
			n, err := axisOf(a, len(x))
			if err != nil {
				return err
			}
			axes = append(axes, n)
		}
	}
	out := slices.Clone(x)
	scales := c.contents(2)
	if c.has(2) && !(scales != nil && scales.Len() == 0) {
		if scales == nil && c.emptyInput(2) && c.has(3) {
			scales = tensor.Of[float32](tensor.Float32, tensor.Shape{0})
		} else if scales == nil || scales.DType() != tensor.Float32 {
			for _, a := range axes {
				out[a] = unknownDim
			}
			c.out(0, c.dtype(0), out)
			return nil
		}
	}
	if c.has(2) && scales != nil && scales.Len() > 0 {
		list := tensor.Data[float32](scales)
		if len(list) != len(axes) {
			return invalid("it has %d scales for %d dimensions", len(list), len(axes))
		}
		for i, a := range axes {
			n := math.Floor(float64(x[a].n) * float64(list[i]))
			switch {
			case !(list[i] > 0) || math.IsInf(float64(list[i]), 0) || n > MaxElements:
				return invalid("its scale %v is out of range", list[i])
			case list[i] == 1:
			case !x[a].known():
				out[a] = unknownDim
			default:
				out[a] = size(int(n))
			}
		}
		c.out(0, c.dtype(0), out)
		return nil
	}
	if !c.has(3) {
		return invalid("it has neither scales nor sizes")
	}
	list := c.elems(3)
	if list != nil && len(list) != len(axes) {
		return invalid("it has %d sizes for %d dimensions", len(list), len(axes))
	}
	policy := c.o.Str("keep_aspect_ratio_policy", "stretch")
	for i, a := range axes {
		e := at(list, i)
		if e.ok && e.v < 0 {
			return invalid("its size %d is out of range", e.v)
		}
		out[a] = e.dim()
	}
	if policy != "stretch" {
		keepAspect(x, out, axes, policy == "not_smaller")
	}
	c.out(0, c.dtype(0), out)
	return nil
}

// emptyInput reports whether input i is known to have no element.
func (c *opContext) emptyInput(i int) bool {
	d := c.dims(i)
	return len(d) == 1 && d[0].known() && d[0].n == 0
}

// keepAspect scales all axes by one factor: the least of those that the sizes ask for, or the greatest.
func keepAspect(x, out dims, axes []int, greatest bool) {
	factor := math.NaN()
	for _, a := range axes {
		if !x[a].known() || !out[a].known() || x[a].n == 0 {
			for _, b := range axes {
				out[b] = unknownDim
			}
			return
		}
		f := float64(out[a].n) / float64(x[a].n)
		if math.IsNaN(factor) || greatest && f > factor || !greatest && f < factor {
			factor = f
		}
	}
	for _, a := range axes {
		out[a] = size(int(math.Floor(factor*float64(x[a].n) + 0.5)))
	}
}

func inferGridSample(c *opContext) error {
	x, grid := c.dims(0), c.dims(1)
	if x == nil || grid == nil {
		c.out(0, c.dtype(0), unknownDims(max(len(x), len(grid))-boolToInt(x == nil && grid == nil)))
		return nil
	}
	if len(x) != len(grid) || len(x) < 3 {
		return invalid("input %s and grid %s are not of the same rank", x.shape(), grid.shape())
	}
	c.out(0, c.dtype(0), append(dims{x[0], x[1]}, grid[1:len(grid)-1]...))
	return nil
}

func inferAffineGrid(c *opContext) error {
	to := c.shapeInput(1)
	if to == nil {
		c.out(0, c.dtype(0), nil)
		return nil
	}
	if len(to) != 4 && len(to) != 5 {
		return invalid("its size is for %d dimensions, not 4 or 5", len(to))
	}
	c.out(0, c.dtype(0), append(append(dims{to[0]}, to[2:]...), size(len(to)-2)))
	return nil
}

func inferRoiAlign(c *opContext) error {
	out := unknownDims(4)
	if rois := c.dims(1); len(rois) == 2 {
		out[0] = rois[0]
	}
	if x := c.dims(0); len(x) == 4 {
		out[1] = x[1]
	}
	out[2], out[3] = elem{v: c.o.Int("output_height", 1), ok: true}.dim(), elem{v: c.o.Int("output_width", 1), ok: true}.dim()
	c.out(0, c.dtype(0), out)
	return nil
}

func inferImageDecoder(c *opContext) error {
	channels := size(3)
	if c.o.Str("pixel_format", "RGB") == "Grayscale" {
		channels = size(1)
	}
	c.out(0, tensor.Uint8, dims{unknownDim, unknownDim, channels})
	return nil
}
