package demo

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"os"
)

// photo decodes the embedded photograph.
func photo() (image.Image, error) {
	img, err := jpeg.Decode(bytes.NewReader(photoFile))
	if err != nil {
		return nil, fmt.Errorf("decode the embedded photograph: %w", err)
	}
	return img, nil
}

// annotate writes the picture as a PNG with a frame around every face.
func annotate(path string, picture image.Image, found []face) (err error) {
	b := picture.Bounds()
	canvas := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(canvas, canvas.Bounds(), picture, b.Min, draw.Src)
	for _, f := range found {
		frame(canvas, image.Rect(
			int(f.Left*float64(b.Dx())), int(f.Top*float64(b.Dy())),
			int(f.Right*float64(b.Dx())), int(f.Bottom*float64(b.Dy())),
		))
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the annotated picture: %w", err)
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("write the annotated picture: %w", cerr)
		}
	}()
	if err := png.Encode(file, canvas); err != nil {
		return fmt.Errorf("write the annotated picture %s: %w", path, err)
	}
	return nil
}

// frame draws the outline of r, three pixels wide, clipped to the canvas.
func frame(canvas *image.RGBA, r image.Rectangle) {
	const width = 3
	ink := image.NewUniform(color.RGBA{R: 255, G: 64, B: 32, A: 255})
	for _, side := range []image.Rectangle{
		image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+width),
		image.Rect(r.Min.X, r.Max.Y-width, r.Max.X, r.Max.Y),
		image.Rect(r.Min.X, r.Min.Y, r.Min.X+width, r.Max.Y),
		image.Rect(r.Max.X-width, r.Min.Y, r.Max.X, r.Max.Y),
	} {
		draw.Draw(canvas, side.Intersect(canvas.Bounds()), ink, image.Point{}, draw.Src)
	}
}
