package calibrate

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // pictures may be JPEG files
	_ "image/png"  // or PNG
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/draw"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Pixels says how a picture becomes a model's input: x = pixel/scale + offset per channel, in the terms of the jpeg codec.
type Pixels struct {
	Scale, Offset [3]float32
	BGR           bool
}

// ParsePixels reads "scale=127.5,offset=-1,order=bgr"; scale and offset may be three numbers joined by "/".
func ParsePixels(text string) (Pixels, error) {
	p := Pixels{Scale: [3]float32{1, 1, 1}}
	if text == "" {
		return p, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(item, "=")
		var err error
		switch key {
		case "scale":
			p.Scale, err = triple(value)
		case "offset":
			p.Offset, err = triple(value)
		case "order":
			p.BGR = value == "bgr"
			if !p.BGR && value != "rgb" {
				err = errors.New("is neither rgb nor bgr")
			}
		default:
			err = errors.New("is not scale, offset or order")
		}
		if err != nil {
			return p, fmt.Errorf("pixels: %q: %w", item, err)
		}
	}
	if slices.Contains(p.Scale[:], 0) {
		return p, errors.New("pixels: scale is 0")
	}
	return p, nil
}

func triple(text string) (v [3]float32, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 1 && len(parts) != 3 {
		return v, errors.New("is neither one number nor three")
	}
	for i := range v {
		x, err := strconv.ParseFloat(parts[min(i, len(parts)-1)], 32)
		if err != nil {
			return v, err
		}
		v[i] = float32(x)
	}
	return v, nil
}

// Pictures decodes every PNG and JPEG file of a folder, by name.
func Pictures(dir string) ([]image.Image, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []image.Image
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".png", ".jpg", ".jpeg":
		default:
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		img, _, err := image.Decode(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("read picture %s: %w", path, err)
		}
		list = append(list, img)
	}
	return list, nil
}

// Sample makes input number i from the pictures: the first len(pictures) are the whole pictures, further ones are random
// crops of a picture's middle sizes, every other one mirrored. It depends on i and the shape alone. shape is [1,H,W,3] or
// [1,3,H,W].
func Sample(pictures []image.Image, i int, shape tensor.Shape, p Pixels) (*tensor.Tensor, error) {
	if len(pictures) == 0 {
		return nil, errors.New("no pictures")
	}
	if len(shape) != 4 || shape[0] != 1 || !shape.Known() || (shape[1] != 3) == (shape[3] != 3) {
		return nil, fmt.Errorf("an input of shape %v takes no picture", shape)
	}
	planar := shape[1] == 3
	h, w := shape[1], shape[2]
	if planar {
		h, w = shape[2], shape[3]
	}
	const seed = 0x636c65617665
	rng := rand.New(rand.NewPCG(seed, uint64(i)))
	src := pictures[i%len(pictures)]
	area := src.Bounds()
	mirror := false
	if i >= len(pictures) {
		size := 0.45 + 0.5*rng.Float64()
		cw, ch := max(int(float64(area.Dx())*size), 1), max(int(float64(area.Dy())*size), 1)
		x, y := area.Min.X+rng.IntN(area.Dx()-cw+1), area.Min.Y+rng.IntN(area.Dy()-ch+1)
		area = image.Rect(x, y, x+cw, y+ch)
		mirror = rng.IntN(2) == 1
	}
	scaled := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(scaled, scaled.Bounds(), src, area, draw.Src, nil)
	t, err := tensor.New(tensor.Float32, shape)
	if err != nil {
		return nil, err
	}
	v := tensor.Data[float32](t)
	for y := range h {
		for x := range w {
			from := x
			if mirror {
				from = w - 1 - x
			}
			pix := scaled.Pix[scaled.PixOffset(from, y):]
			for c := range 3 {
				colour := c
				if p.BGR {
					colour = 2 - c
				}
				at := (y*w+x)*3 + c
				if planar {
					at = (c*h+y)*w + x
				}
				v[at] = float32(float32(pix[colour])/p.Scale[c]) + p.Offset[c]
			}
		}
	}
	return t, nil
}
