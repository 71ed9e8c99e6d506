package demo

import (
	"fmt"
	"image"
	"math"
	"slices"

	"golang.org/x/image/draw"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// The constants of BlazeFace's front-camera model (arXiv:1907.05047; MediaPipe's face_detection_short_range).
const (
	inputSide   = 128   // pixels
	boxFloats   = 16    // centre, size and six keypoints, in input pixels
	scoreLimit  = 100   // logits are clipped to +-scoreLimit before the sigmoid
	minScore    = 0.5   // faces below are not reported
	sameFaceIoU = 0.3   // boxes that overlap more are one face
	pixelScale  = 127.5 // input = pixel/pixelScale + pixelOffset
	pixelOffset = -1
)

// anchorGrids are the model's two output grids: side x side cells, each with so many anchors at its centre.
var anchorGrids = []struct{ side, perCell int }{{16, 2}, {8, 6}}

// face is one detection; the box is in fractions of the picture's sides.
type face struct {
	Score                    float64
	Left, Top, Right, Bottom float64
}

// inputTensor resizes a picture to the model's input, float32 [1, 128, 128, 3] in [-1, 1], RGB.
func inputTensor(picture image.Image) *tensor.Tensor {
	small := image.NewRGBA(image.Rect(0, 0, inputSide, inputSide))
	draw.BiLinear.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	values := make([]float32, 0, inputSide*inputSide*3)
	for i := 0; i < len(small.Pix); i += 4 {
		for _, p := range small.Pix[i : i+3] {
			values = append(values, float32(p)/pixelScale+pixelOffset)
		}
	}
	return tensor.Of(tensor.Float32, tensor.Shape{1, inputSide, inputSide, 3}, values...)
}

// faces decodes the model's outputs, in any order, and merges boxes of the same face by the score-weighted mean that the
// paper calls blending. Strongest first.
func faces(outputs []*tensor.Tensor) ([]face, error) {
	var found []face
	for _, grid := range anchorGrids {
		anchors := grid.side * grid.side * grid.perCell
		scores, err := outputOfLen(outputs, anchors)
		if err != nil {
			return nil, err
		}
		boxes, err := outputOfLen(outputs, anchors*boxFloats)
		if err != nil {
			return nil, err
		}
		for a := range anchors {
			logit := max(-scoreLimit, min(scoreLimit, float64(scores[a])))
			score := 1 / (1 + math.Exp(-logit))
			if score < minScore {
				continue
			}
			cell := a / grid.perCell
			b := boxes[a*boxFloats:]
			x := (float64(cell%grid.side)+0.5)/float64(grid.side) + float64(b[0])/inputSide
			y := (float64(cell/grid.side)+0.5)/float64(grid.side) + float64(b[1])/inputSide
			w, h := float64(b[2])/inputSide, float64(b[3])/inputSide
			found = append(found, face{score, x - w/2, y - h/2, x + w/2, y + h/2})
		}
	}
	slices.SortFunc(found, func(a, b face) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return blend(found), nil
}

// outputOfLen finds the one output with n float32 elements: the four outputs all differ in length.
func outputOfLen(outputs []*tensor.Tensor, n int) ([]float32, error) {
	for _, t := range outputs {
		if t.DType() == tensor.Float32 && t.Len() == n {
			return tensor.Data[float32](t), nil
		}
	}
	return nil, fmt.Errorf("model has no float32 output of %d elements: is it BlazeFace front?", n)
}

// blend merges each strongest remaining box with those that overlap it.
func blend(sorted []face) []face {
	var out []face
	for len(sorted) > 0 {
		best := sorted[0]
		var rest []face
		var sum face
		for _, f := range sorted {
			if best.iou(f) <= sameFaceIoU {
				rest = append(rest, f)
				continue
			}
			sum.Score += f.Score
			sum.Left += f.Score * f.Left
			sum.Top += f.Score * f.Top
			sum.Right += f.Score * f.Right
			sum.Bottom += f.Score * f.Bottom
		}
		if sum.Score == 0 { // a degenerate box does not even overlap itself
			sorted = sorted[1:]
			continue
		}
		out = append(out, face{best.Score, sum.Left / sum.Score, sum.Top / sum.Score, sum.Right / sum.Score, sum.Bottom / sum.Score})
		sorted = rest
	}
	return out
}

// iou is the intersection of both boxes over their union; 0 when either is empty.
func (f face) iou(o face) float64 {
	inter := max(0, min(f.Right, o.Right)-max(f.Left, o.Left)) * max(0, min(f.Bottom, o.Bottom)-max(f.Top, o.Top))
	union := f.area() + o.area() - inter
	if union <= 0 {
		return 0
	}
	return inter / union
}

func (f face) area() float64 { return max(0, f.Right-f.Left) * max(0, f.Bottom-f.Top) }
