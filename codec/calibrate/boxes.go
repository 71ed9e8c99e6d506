package calibrate

import (
	"cmp"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// boxTask is detection, compared after suppression. A box agrees when the other side has one of its class at an IoU of at
// least 0.9, each box used once. Only boxes that score above the task's threshold must find one, but they may find one
// that scores a little less, down to weakShare of the threshold: whether a doubtful box is just above or just below is
// not held against a codec. Answers are the boxes that had to find one, a pair counted once.
type boxTask struct {
	name string
	fits func([]tensor.Shape) bool
	// detect gives one box for each prediction of the model, in a fixed order, whatever it scores.
	detect func([]*tensor.Tensor) []box
	// least is the score from which on a box is an answer.
	least float64
}

// box is a detection; coordinates in pixels or relative to the picture, whichever the model gives.
type box struct {
	class          int
	score          float64
	x0, y0, x1, y1 float64
}

func (t boxTask) Name() string               { return t.name }
func (t boxTask) Fits(s []tensor.Shape) bool { return t.fits(s) }

// weakShare is the part of the threshold down to which boxes may be found.
const weakShare = 0.7

func (t boxTask) Agree(want, got []*tensor.Tensor) (same, all int) {
	a, b := t.answers(want), t.answers(got)
	strong := func(x box) bool { return x.score >= t.least }
	used := make([]bool, len(b))
	for _, x := range a {
		best, most := -1, sameIoU
		for i, y := range b {
			if v := iou(x, y); !used[i] && x.class == y.class && v >= most && (strong(x) || strong(y)) {
				best, most = i, v
			}
		}
		if best >= 0 {
			used[best] = true
			same++
			all++
		} else if strong(x) {
			all++
		}
	}
	for i, y := range b {
		if strong(y) && !used[i] {
			all++
		}
	}
	return same, all
}

// answers is the boxes that count, after suppression.
func (t boxTask) answers(out []*tensor.Tensor) []box {
	var list []box
	for _, x := range t.detect(out) {
		if x.score >= weakShare*t.least {
			list = append(list, x)
		}
	}
	return suppress(list)
}

// Distance is the change of every score, and of the places of boxes that may be answers.
func (t boxTask) Distance(want, got []*tensor.Tensor) (change, size float64) {
	a, b := t.detect(want), t.detect(got)
	for i, x := range a {
		change += (x.score - b[i].score) * (x.score - b[i].score)
		if x.score >= weakShare*t.least {
			away := 1 - iou(x, b[i])
			change += away * away
			size += 1 + x.score*x.score
		}
	}
	return change, size
}

func iou(a, b box) float64 {
	w := min(a.x1, b.x1) - max(a.x0, b.x0)
	h := min(a.y1, b.y1) - max(a.y0, b.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	area := func(r box) float64 { return (r.x1 - r.x0) * (r.y1 - r.y0) }
	return w * h / (area(a) + area(b) - w*h)
}

// suppress drops boxes without an area and keeps the best of those of one class that overlap by more than overlapIoU (greedy non-maximum suppression).
func suppress(all []box) []box {
	const overlapIoU = 0.4
	slices.SortStableFunc(all, func(a, b box) int { return cmp.Compare(b.score, a.score) })
	var kept []box
	for _, x := range all {
		if !(x.x1 > x.x0 && x.y1 > x.y0) {
			continue
		}
		if !slices.ContainsFunc(kept, func(k box) bool { return k.class == x.class && iou(k, x) > overlapIoU }) {
			kept = append(kept, x)
		}
	}
	return kept
}

func sigmoid(x float32) float64 { return 1 / (1 + math.Exp(-float64(x))) }

// centred is a box from centre and size.
func centred(class int, score, x, y, w, h float64) box {
	return box{class, score, x - w/2, y - h/2, x + w/2, y + h/2}
}

// count is the size of dimension i of outputs shaped [1, n, k], or -1.
func count(s tensor.Shape, k int) int {
	if len(s) == 3 && s[0] == 1 && s[2] == k {
		return s[1]
	}
	return -1
}

func fitsBlazeFace(s []tensor.Shape) bool {
	return len(s) == 4 && count(s[0], 1) == 512 && count(s[1], 1) == 384 && count(s[2], 16) == 512 && count(s[3], 16) == 384
}

// blazeFace decodes MediaPipe's front face detector: two anchors in each of 16x16 cells, six in each of 8x8, and boxes in
// pixels of 128 relative to the cell's centre.
func blazeFace(out []*tensor.Tensor) []box {
	var all []box
	for k, grid := range []struct{ side, anchors int }{{16, 2}, {8, 6}} {
		scores, boxes := floats(out[k]), floats(out[2+k])
		for i, s := range scores {
			cell := i / grid.anchors
			size := 128 / float64(grid.side)
			b := boxes[16*i:]
			all = append(all, centred(0, sigmoid(s), float64(b[0])+(float64(cell%grid.side)+0.5)*size,
				float64(b[1])+(float64(cell/grid.side)+0.5)*size, float64(b[2]), float64(b[3])))
		}
	}
	return all
}

func fitsUltraFace(s []tensor.Shape) bool {
	return len(s) == 2 && count(s[0], 2) > 0 && count(s[0], 2) == count(s[1], 4)
}

// ultraFace reads scores of background and face, and corners that the model has decoded.
func ultraFace(out []*tensor.Tensor) []box {
	scores, boxes := floats(out[0]), floats(out[1])
	var all []box
	for i := 0; 2*i < len(scores); i++ {
		b := boxes[4*i:]
		all = append(all, box{0, float64(scores[2*i+1]), float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])})
	}
	return all
}

func fitsYuNet(s []tensor.Shape) bool {
	if len(s) != 12 {
		return false
	}
	for k := range 3 {
		n := count(s[k], 1)
		if side := int(math.Sqrt(float64(n))); n < 1 || side*side != n || count(s[3+k], 1) != n || count(s[6+k], 4) != n {
			return false
		}
	}
	return true
}

// yuNet decodes OpenCV's YuNet on a square picture: strides 8, 16 and 32, score sqrt(class * object), offsets of the centre
// in cells and logarithms of the size.
func yuNet(out []*tensor.Tensor) []box {
	var all []box
	for k, stride := range []float64{8, 16, 32} {
		class, object, boxes := floats(out[k]), floats(out[3+k]), floats(out[6+k])
		side := int(math.Sqrt(float64(len(class))))
		for i := range class {
			p := math.Sqrt(min(max(float64(class[i]), 0), 1) * min(max(float64(object[i]), 0), 1))
			b := boxes[4*i:]
			all = append(all, centred(0, p, (float64(i%side)+float64(b[0]))*stride, (float64(i/side)+float64(b[1]))*stride,
				math.Exp(float64(b[2]))*stride, math.Exp(float64(b[3]))*stride))
		}
	}
	return all
}

// yoloxSide is the side in pixels of a square YOLOX input with n predictions at strides 8, 16 and 32; 0 when there is none.
func yoloxSide(n int) int {
	for side := 32; side <= 4096; side += 32 {
		if side*side*21/1024 == n {
			return side
		}
	}
	return 0
}

func fitsYOLOX(s []tensor.Shape) bool {
	return len(s) == 1 && len(s[0]) == 3 && s[0][0] == 1 && s[0][2] == 85 && yoloxSide(s[0][1]) > 0
}

// yolox decodes the raw grid of YOLOX: offsets of the centre in cells, logarithms of the size, object and 80 classes.
func yolox(out []*tensor.Tensor) []box {
	v := floats(out[0])
	side := yoloxSide(out[0].Shape()[1])
	var all []box
	row := 0
	for _, stride := range []int{8, 16, 32} {
		cells := side / stride
		for i := range cells * cells {
			b := v[85*row:]
			row++
			c := argmax(b[5:85])
			p := float64(b[4]) * float64(b[5+c])
			s := float64(stride)
			all = append(all, centred(c, p, (float64(i%cells)+float64(b[0]))*s, (float64(i/cells)+float64(b[1]))*s,
				math.Exp(float64(b[2]))*s, math.Exp(float64(b[3]))*s))
		}
	}
	return all
}
