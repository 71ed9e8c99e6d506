package calibrate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// Task compares the answers that two sets of outputs give. It is safe for concurrent use.
type Task interface {
	// Name is what --task takes.
	Name() string
	// Fits reports whether outputs of these shapes are the task's, in the model's order.
	Fits(shapes []tensor.Shape) bool
	// Agree counts the answers in want and got together, and how many of them are the same.
	Agree(want, got []*tensor.Tensor) (same, all int)
	// Distance is how far got is from want in what decides the answers, and the size of that, both as sums of squares over
	// outputs: they add over samples.
	Distance(want, got []*tensor.Tensor) (change, size float64)
}

// Tasks lists the tasks; the first that fits is taken when none is named.
func Tasks() []Task {
	return []Task{
		boxTask{"blazeface", fitsBlazeFace, blazeFace, 0.5},
		boxTask{"ultraface", fitsUltraFace, ultraFace, 0.7},
		boxTask{"yunet", fitsYuNet, yuNet, 0.6},
		boxTask{"yolox", fitsYOLOX, yolox, 0.3},
		top1Task{},
		textTask{},
		maskTask{},
		noTask{},
	}
}

// FindTask is the task of that name, or for "" or "auto" the first that fits the shapes.
func FindTask(name string, shapes []tensor.Shape) (Task, error) {
	var names []string
	for _, t := range Tasks() {
		if t.Name() == name || (name == "" || name == "auto") && t.Fits(shapes) {
			if !t.Fits(shapes) {
				return nil, fmt.Errorf("task %s does not fit outputs of shapes %v", name, shapes)
			}
			return t, nil
		}
		names = append(names, t.Name())
	}
	return nil, fmt.Errorf("unknown task %q: use auto or one of %s", name, strings.Join(names, ", "))
}

// outputsTask measures distance by the outputs themselves.
type outputsTask struct{}

func (outputsTask) Distance(want, got []*tensor.Tensor) (change, size float64) {
	for i := range want {
		a, b := floats(want[i]), floats(got[i])
		for k := range a {
			d := float64(a[k]) - float64(b[k])
			change += d * d
			size += float64(a[k]) * float64(a[k])
		}
	}
	return change, size
}

// noTask knows nothing of the outputs.
type noTask struct{ outputsTask }

func (noTask) Name() string                           { return "none" }
func (noTask) Fits([]tensor.Shape) bool               { return true }
func (noTask) Agree(_, _ []*tensor.Tensor) (int, int) { return 0, 0 }

// top1Task is classification: one output of scores, whose largest is the answer.
type top1Task struct{ outputsTask }

func (top1Task) Name() string { return "top1" }

func (top1Task) Fits(s []tensor.Shape) bool {
	if len(s) != 1 || len(s[0]) == 0 {
		return false
	}
	n, err := s[0].Elements()
	return err == nil && n >= 2 && slices.Max(s[0]) == n
}

func (top1Task) Agree(want, got []*tensor.Tensor) (same, all int) {
	if argmax(floats(want[0])) == argmax(floats(got[0])) {
		same = 1
	}
	return same, 1
}

func argmax(v []float32) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// floats is a float32 tensor's elements, nil for other types.
func floats(t *tensor.Tensor) []float32 {
	if t.DType() != tensor.Float32 {
		return nil
	}
	return tensor.Data[float32](t)
}

// textTask is recognition by CTC: [1, steps, symbols], the likeliest symbol of each step, repeats and blanks (0) dropped.
type textTask struct{ outputsTask }

func (textTask) Name() string { return "text" }

func (textTask) Fits(s []tensor.Shape) bool {
	return len(s) == 1 && len(s[0]) == 3 && s[0][0] == 1 && s[0][1] >= 2 && s[0][2] >= 32
}

func (textTask) Agree(want, got []*tensor.Tensor) (same, all int) {
	if slices.Equal(greedy(want[0]), greedy(got[0])) {
		same = 1
	}
	return same, 1
}

func greedy(t *tensor.Tensor) []int {
	v, n := floats(t), t.Shape()[2]
	var text []int
	last := 0
	for at := 0; at+n <= len(v); at += n {
		s := argmax(v[at : at+n])
		if s != 0 && s != last {
			text = append(text, s)
		}
		last = s
	}
	return text
}

// maskTask is segmentation: one map of probabilities, cut at one half; the masks agree when their IoU is at least 0.9.
type maskTask struct{ outputsTask }

func (maskTask) Name() string { return "mask" }

func (maskTask) Fits(s []tensor.Shape) bool {
	if len(s) != 1 || len(s[0]) != 4 || s[0][0] != 1 {
		return false
	}
	d := s[0]
	return d[1] == 1 && min(d[2], d[3]) >= 32 || d[3] == 1 && min(d[1], d[2]) >= 32
}

func (maskTask) Agree(want, got []*tensor.Tensor) (same, all int) {
	a, b := floats(want[0]), floats(got[0])
	both, either := 0, 0
	for i := range a {
		x, y := a[i] > 0.5, b[i] > 0.5
		if x && y {
			both++
		}
		if x || y {
			either++
		}
	}
	if either == 0 {
		return 0, 0
	}
	if float64(both) >= sameIoU*float64(either) {
		same = 1
	}
	return same, 1
}

// sameIoU is the least intersection over union of boxes or masks that count as the same.
const sameIoU = 0.9

// outputError is the largest relative error among the outputs.
func outputError(want, got []*tensor.Tensor) float64 {
	worst := 0.0
	for i := range want {
		a, b := floats(want[i]), floats(got[i])
		var diff, norm float64
		for k := range a {
			d := float64(a[k]) - float64(b[k])
			diff += d * d
			norm += float64(a[k]) * float64(a[k])
		}
		if diff > 0 {
			worst = max(worst, math.Sqrt(diff/norm))
		}
	}
	return worst
}
