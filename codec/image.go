package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strconv"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// imageCodec carries a picture: uint8 or float32 of shape [1,H,W,3] or [1,3,H,W], or without the leading 1. A float32
// element x is taken as pixel round((x-offset)*scale), clamped to [0, 255], and decodes to exactly pixel/scale + offset in
// float32 arithmetic.
//
//	jpeg:quality=85,scale=127.5,offset=-1     x = pixel/127.5 - 1
//	png:scale=58.395/57.12/57.375,offset=-2.1179/-2.0357/-1.8044
//
// scale (default 1, never 0) and offset (default 0) are one number, or one per channel joined by "/". order=rgb (default)
// or bgr is the order of the channels; layout=nhwc or nchw is needed only where the shape fits both. quality is 1 to 100,
// default 85. png is exact for pixels; jpeg's error has no bound.
//
//	parameters = layout u8 (0 nhwc, 1 nchw) | order u8 (0 rgb, 1 bgr) | 3 scales f32 | 3 offsets f32
//	payload    = a JPEG or PNG file of W x H pixels; one chunk holds the picture
type imageCodec struct {
	id   ID
	name string
}

// MaxImageSide is the largest height or width of a picture.
const MaxImageSide = 1 << 15

// imageState is what the parameters say, and scratch.
type imageState struct {
	planar, bgr   bool
	scale, offset [3]float32
	quality       int
	pixels        *image.RGBA // opaque
	file          bytes.Buffer
}

func (c imageCodec) ID() ID                          { return c.id }
func (c imageCodec) Name() string                    { return c.name }
func (c imageCodec) Lossless(map[string]string) bool { return false }

func (c imageCodec) check(p params) error {
	var s imageState
	if _, err := p.choice("layout", "", "nhwc", "nchw"); err != nil {
		return err
	}
	return c.read(&s, p)
}

// read fills s from p, but for the layout.
func (c imageCodec) read(s *imageState, p params) error {
	keys := []string{"scale", "offset", "order", "layout"}
	if c.id == JPEG {
		keys = append(keys, "quality")
	}
	if err := p.only(keys...); err != nil {
		return err
	}
	order, err := p.choice("order", "rgb", "bgr")
	if err != nil {
		return err
	}
	s.bgr = order == "bgr"
	if s.scale, err = p.triple("scale", 1); err != nil {
		return err
	}
	if s.offset, err = p.triple("offset", 0); err != nil {
		return err
	}
	for _, v := range s.scale {
		if v == 0 {
			return fmt.Errorf("%w: scale is 0", ErrSpec)
		}
	}
	s.quality, err = p.integer("quality", 85, 1, 100)
	return err
}

// triple is p[key] as one number for all channels or three joined by "/".
func (p params) triple(key string, def float32) ([3]float32, error) {
	text, ok := p[key]
	if !ok {
		return [3]float32{def, def, def}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) != 1 && len(parts) != 3 {
		return [3]float32{}, fmt.Errorf("%w: %s=%q is neither one number nor three", ErrSpec, key, text)
	}
	var v [3]float32
	for i := range v {
		x, err := strconv.ParseFloat(parts[min(i, len(parts)-1)], 32)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return v, fmt.Errorf("%w: %s=%q is not a finite number", ErrSpec, key, text)
		}
		v[i] = float32(x)
	}
	return v, nil
}

// pictureSize finds height, width and whether channels come first; layout is "" where the shape decides.
func pictureSize(s tensor.Shape, layout string) (h, w int, planar bool, err error) {
	d := s
	if len(d) == 4 && d[0] == 1 {
		d = d[1:]
	}
	if len(d) != 3 {
		return 0, 0, false, fmt.Errorf("%w: a picture is [1,H,W,3] or [1,3,H,W], not %v", ErrUnsuitable, s)
	}
	last, first := d[2] == 3, d[0] == 3
	switch {
	case last && (layout == "nhwc" || layout == ""):
		h, w = d[0], d[1]
	case first && (layout == "nchw" || layout == ""):
		h, w, planar = d[1], d[2], true
	default:
		return 0, 0, false, fmt.Errorf("%w: a picture has three channels, %v as %q has not", ErrUnsuitable, s, layout)
	}
	if last && first && layout == "" {
		return 0, 0, false, fmt.Errorf("%w: shape %v fits both layouts, say layout=", ErrUnsuitable, s)
	}
	if h < 1 || w < 1 || h > MaxImageSide || w > MaxImageSide {
		return 0, 0, false, fmt.Errorf("%w: picture of %d x %d pixels, each side in [1, %d]", ErrUnsuitable, w, h, MaxImageSide)
	}
	return h, w, planar, nil
}

func (c imageCodec) Accepts(d tensor.DType, s tensor.Shape, p map[string]string) error {
	if err := c.check(p); err != nil {
		return err
	}
	if d != tensor.Float32 && d != tensor.Uint8 {
		return fmt.Errorf("%w: %s carries uint8 and float32, not %v", ErrUnsuitable, c.name, d)
	}
	if p == nil && len(s) >= 3 && s[len(s)-1] == 3 && s[len(s)-3] == 3 {
		return nil // the frame's parameters say the layout
	}
	_, _, _, err := pictureSize(s, p["layout"])
	return err
}

func (c imageCodec) prepare(w *work, p params) error {
	s := &w.image
	if err := c.read(s, p); err != nil {
		return err
	}
	_, _, planar, err := pictureSize(w.shape, p["layout"])
	if err != nil {
		return err
	}
	s.planar = planar
	if w.elems > MaxPicture {
		return fmt.Errorf("%w: picture of %d elements, limit %d", ErrUnsuitable, w.elems, MaxPicture)
	}
	w.chunkElems = w.elems
	w.params = append(w.params, flag(s.planar), flag(s.bgr))
	for _, v := range s.scale {
		w.params = binary.LittleEndian.AppendUint32(w.params, math.Float32bits(v))
	}
	for _, v := range s.offset {
		w.params = binary.LittleEndian.AppendUint32(w.params, math.Float32bits(v))
	}
	return nil
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (c imageCodec) parse(w *work) error {
	s := &w.image
	if len(w.params) != 26 || w.params[0] > 1 || w.params[1] > 1 {
		return errParams
	}
	s.planar, s.bgr = w.params[0] == 1, w.params[1] == 1
	for i := range 3 {
		s.scale[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.params[2+4*i:]))
		s.offset[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.params[14+4*i:]))
		if s.scale[i] == 0 || !finite(s.scale[i]) || !finite(s.offset[i]) {
			return fmt.Errorf("scale %g, offset %g of channel %d", s.scale[i], s.offset[i], i)
		}
	}
	if w.chunks > 1 {
		return fmt.Errorf("picture in %d chunks", w.chunks)
	}
	_, _, _, err := pictureSize(w.shape, s.layout())
	return err
}

func (s *imageState) layout() string {
	if s.planar {
		return "nchw"
	}
	return "nhwc"
}

// at is the index of channel c of pixel i of n.
func (s *imageState) at(c, i, n int) int {
	if s.planar {
		return c*n + i
	}
	return 3*i + c
}

// colour is which of red, green and blue channel c is.
func (s *imageState) colour(c int) int {
	if s.bgr {
		return 2 - c
	}
	return c
}

func (c imageCodec) appendChunk(dst []byte, w *work, _, _ int) ([]byte, error) {
	s := &w.image
	height, width, _, err := pictureSize(w.shape, s.layout())
	if err != nil {
		return dst, err
	}
	if s.pixels == nil || s.pixels.Rect.Dx() != width || s.pixels.Rect.Dy() != height {
		s.pixels = image.NewRGBA(image.Rect(0, 0, width, height))
	}
	pix, n := s.pixels.Pix, height*width
	for i := range n {
		pix[4*i+3] = 255
	}
	for ch := range 3 {
		to := s.colour(ch)
		if w.dtype == tensor.Uint8 {
			for i := range n {
				pix[4*i+to] = w.data[s.at(ch, i, n)]
			}
			continue
		}
		src := floatView(w.data)
		scale, offset := float64(s.scale[ch]), float64(s.offset[ch])
		for i := range n {
			v := (float64(src[s.at(ch, i, n)]) - offset) * scale
			if v != v {
				return dst, fmt.Errorf("%w: pixel %d is not a number", ErrUnsuitable, i)
			}
			pix[4*i+to] = byte(math.RoundToEven(max(0, min(v, 255))))
		}
	}
	s.file.Reset()
	if c.id == JPEG {
		err = jpeg.Encode(&s.file, s.pixels, &jpeg.Options{Quality: s.quality})
	} else {
		enc := png.Encoder{CompressionLevel: png.DefaultCompression}
		err = enc.Encode(&s.file, s.pixels)
	}
	if err != nil {
		return dst, fmt.Errorf("write %s: %w", c.name, err)
	}
	if s.file.Len() > w.payloadLimit(0) {
		return dst, fmt.Errorf("%w: %s of %d bytes is larger than the tensor allows", ErrUnsuitable, c.name, s.file.Len())
	}
	return append(dst, s.file.Bytes()...), nil
}

func (c imageCodec) decodeChunk(w *work, payload []byte, _, _ int) error {
	s := &w.image
	height, width, _, err := pictureSize(w.shape, s.layout())
	if err != nil {
		return err
	}
	config, decode := jpeg.DecodeConfig, jpeg.Decode
	if c.id == PNG {
		config, decode = png.DecodeConfig, png.Decode
	}
	size, err := config(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("read %s: %w", c.name, err)
	}
	if !c.colours(size.ColorModel) || c.id == JPEG && progressive(payload) {
		return errColours
	}
	if size.Width != width || size.Height != height {
		return fmt.Errorf("%s of %d x %d pixels, want %d x %d", c.name, size.Width, size.Height, width, height)
	}
	img, err := decode(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("read %s: %w", c.name, err)
	}
	if b := img.Bounds(); b.Dx() != width || b.Dy() != height {
		return fmt.Errorf("%s of %d x %d pixels, want %d x %d", c.name, b.Dx(), b.Dy(), width, height)
	}
	return s.unpack(w, img, height*width, width)
}

// unpack writes img's n pixels to the tensor.
func (s *imageState) unpack(w *work, img image.Image, n, width int) error {
	read, err := pixelReader(img)
	if err != nil {
		return err
	}
	var values [3][256]float32
	for ch := range 3 {
		for p := range 256 {
			values[ch][p] = float32(float32(p)/s.scale[ch]) + s.offset[ch]
		}
	}
	origin := img.Bounds().Min
	for i := range n {
		rgb := read(origin.X+i%width, origin.Y+i/width)
		for ch := range 3 {
			p := rgb[s.colour(ch)]
			if w.dtype == tensor.Uint8 {
				w.data[s.at(ch, i, n)] = p
			} else {
				floatView(w.data)[s.at(ch, i, n)] = values[ch][p]
			}
		}
	}
	return nil
}

// pixelReader returns how red, green and blue of a pixel of img are read.
func pixelReader(img image.Image) (func(x, y int) [3]byte, error) {
	switch img := img.(type) {
	case *image.YCbCr:
		return func(x, y int) [3]byte {
			yi, ci := img.YOffset(x, y), img.COffset(x, y)
			r, g, b := color.YCbCrToRGB(img.Y[yi], img.Cb[ci], img.Cr[ci])
			return [3]byte{r, g, b}
		}, nil
	case *image.NRGBA:
		return func(x, y int) [3]byte { return [3]byte(img.Pix[img.PixOffset(x, y):]) }, nil
	case *image.RGBA:
		return func(x, y int) [3]byte { return [3]byte(img.Pix[img.PixOffset(x, y):]) }, nil
	}
	return nil, fmt.Errorf("%w: %T", errColours, img)
}

// errColours is returned for a picture of another kind than the encoder writes: wider samples, palettes and inks take more
// memory than the tensor declares.
var errColours = errors.New("picture is not of 8-bit red, green and blue")

// colours reports whether the encoder writes pictures of this colour model.
func (c imageCodec) colours(m color.Model) bool {
	if c.id == JPEG {
		return m == color.YCbCrModel
	}
	return m == color.RGBAModel || m == color.NRGBAModel
}

// progressive reports whether a JPEG file's frame is not a baseline one: decoding such takes four bytes per coefficient.
func progressive(file []byte) bool {
	const startOfImage, frame0, frame15, huffman, arithmetic, extension = 0xd8, 0xc0, 0xcf, 0xc4, 0xcc, 0xc8
	for at := 0; at+4 <= len(file); {
		switch m := file[at+1]; {
		case file[at] != 0xff || m == 0xff: // not a marker, or a fill byte before one
			at++
			continue
		case m == startOfImage || m == 0:
			at += 2
			continue
		case m >= frame0 && m <= frame15 && m != huffman && m != arithmetic && m != extension:
			return m != frame0
		}
		at += 2 + int(binary.BigEndian.Uint16(file[at+2:]))
	}
	return false
}
