package main

import (
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"strconv"
	"strings"

	"golang.org/x/image/draw"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/node/client"
)

// maxPictureSide is the largest height or width of a picture file.
const maxPictureSide = 1 << 14

// pictureInput reads a picture file as the model's first picture input, as the model's image parameters say.
func pictureInput(m client.Model, path string) (string, *tensor.Tensor, error) {
	if m.Image == "" {
		return "", nil, fmt.Errorf("model %s does not say how a picture maps to its input: push it with --image, or give --input NAME=FILE.npy", m.Name)
	}
	for _, p := range m.Inputs {
		h, w, planar, ok := pictureShape(p.Shape)
		if !ok || p.DType != "float32" && p.DType != "uint8" {
			continue
		}
		pixels, err := readPicture(path, w, h)
		if err != nil {
			return "", nil, err
		}
		t, err := pixelTensor(pixels, p, planar, m.Image)
		return p.Name, t, err
	}
	return "", nil, fmt.Errorf("model %s has no input of shape [1,H,W,3] or [1,3,H,W]", m.Name)
}

func pictureShape(s []int) (h, w int, planar, ok bool) {
	if len(s) == 4 && s[0] <= 1 {
		s = s[1:]
	}
	if len(s) != 3 {
		return 0, 0, false, false
	}
	if h, w = s[0], s[1]; s[2] != 3 {
		planar, h, w = true, s[1], s[2]
	}
	return h, w, planar, (s[2] == 3 || s[0] == 3) && h > 0 && w > 0
}

func readPicture(path string, w, h int) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cfg, _, err := image.DecodeConfig(f)
	if err != nil {
		return nil, fmt.Errorf("%s is no PNG or JPEG file: %w", path, err)
	}
	if cfg.Width > maxPictureSide || cfg.Height > maxPictureSide {
		return nil, fmt.Errorf("%s is %dx%d, limit %d a side", path, cfg.Width, cfg.Height, maxPictureSide)
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, err
	}
	src, _, err := image.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	dst := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Src, nil)
	return dst, nil
}

// pixelTensor maps pixels to elements: pixel/scale + offset, the inverse of what the codecs jpeg and png do.
func pixelTensor(img *image.NRGBA, p client.Port, planar bool, params string) (*tensor.Tensor, error) {
	scale, offset, bgr := [3]float32{1, 1, 1}, [3]float32{}, false
	for item := range strings.SplitSeq(params, ",") {
		key, value, _ := strings.Cut(item, "=")
		var err error
		switch key {
		case "scale":
			scale, err = triple(value)
		case "offset":
			offset, err = triple(value)
		case "order":
			bgr = value == "bgr"
		}
		if err != nil {
			return nil, fmt.Errorf("image parameter %s: %w", key, err)
		}
	}
	shape := tensor.Shape(p.Shape).Clone()
	if len(shape) == 4 {
		shape[0] = 1
	}
	d, err := tensor.ParseDType(p.DType)
	if err != nil {
		return nil, err
	}
	t, err := tensor.New(d, shape)
	if err != nil {
		return nil, err
	}
	n := img.Rect.Dx() * img.Rect.Dy()
	for i := range n {
		for c := range 3 {
			from, at := c, 3*i+c
			if bgr {
				from = 2 - c
			}
			if planar {
				at = c*n + i
			}
			pixel := img.Pix[4*i+from]
			if d == tensor.Uint8 {
				t.Bytes()[at] = pixel
			} else {
				tensor.Data[float32](t)[at] = float32(pixel)/scale[c] + offset[c]
			}
		}
	}
	return t, nil
}

// triple is one number for all channels, or three joined by "/".
func triple(text string) (v [3]float32, err error) {
	parts := strings.Split(text, "/")
	if len(parts) != 1 && len(parts) != 3 {
		return v, fmt.Errorf("%q is neither one number nor three", text)
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
