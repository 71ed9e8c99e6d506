package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/onnx"
)

// shapeSeed seeds the weights of the generated models.
const shapeSeed = 3

// generated are the models that are made here: published layer tables, weights drawn at random.
var generated = map[string]func() (*split.Graph, error){"shape-mobilenetv2": mobileNetV2, "shape-resnet50": resNet50}

// writeGenerated writes the generated model called name as DIR/name/model.onnx.
func writeGenerated(dir, name string) error {
	g, err := generated[name]()
	if err != nil {
		return fmt.Errorf("generate %s: %w", name, err)
	}
	if g, err = split.Specialize(g, nil); err != nil {
		return fmt.Errorf("generate %s: %w", name, err)
	}
	data, err := onnx.Encode(g)
	if err != nil {
		return fmt.Errorf("generate %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name, "model.onnx"), data, 0o644)
}

// network builds an image classifier layer by layer, each convolution followed by a batch normalisation as training leaves it.
type network struct {
	b   *split.Builder
	rnd *rand.Rand
	err error
}

func newNetwork(name string) (*network, split.ValueID) {
	n := &network{b: split.NewBuilder(name, 17), rnd: rand.New(rand.NewPCG(shapeSeed, 0))}
	return n, n.b.Input("image", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 3, 224, 224}})
}

// weights is a constant drawn from a normal distribution about mean.
func (n *network) weights(mean, deviation float64, shape ...int) split.ValueID {
	t, err := tensor.New(tensor.Float32, shape)
	if err != nil {
		n.err = err
		return split.None
	}
	d := tensor.Data[float32](t)
	for i := range d {
		d[i] = float32(mean + deviation*n.rnd.NormFloat64())
	}
	return n.b.Const("", t)
}

// conv appends a square convolution of ic to oc channels and its batch normalisation. The weights keep the variance (He et al.,
// "Delving Deep into Rectifiers", 2015).
func (n *network) conv(x split.ValueID, ic, oc, side, stride, groups int) split.ValueID {
	pad := int64(side / 2)
	w := n.weights(0, math.Sqrt(2/float64(ic/groups*side*side)), oc, ic/groups, side, side)
	y := n.b.Op("Conv", map[string]split.Attr{
		"kernel_shape": []int64{int64(side), int64(side)}, "strides": []int64{int64(stride), int64(stride)},
		"pads": []int64{pad, pad, pad, pad}, "group": int64(groups),
	}, x, w)
	variance, err := tensor.New(tensor.Float32, tensor.Shape{oc})
	if err != nil {
		n.err = err
		return split.None
	}
	for i := range tensor.Data[float32](variance) {
		tensor.Data[float32](variance)[i] = 0.5 + n.rnd.Float32()
	}
	return n.b.Op("BatchNormalization", nil, y, n.weights(1, 0.1, oc), n.weights(0, 0.1, oc), n.weights(0, 0.1, oc), n.b.Const("", variance))
}

// classify appends the mean over the image, the classifier of 1,000 classes, and finishes the graph.
func (n *network) classify(x split.ValueID, channels int) (*split.Graph, error) {
	const classes = 1000
	x = n.b.Op("Flatten", nil, n.b.Op("GlobalAveragePool", nil, x))
	w := n.weights(0, math.Sqrt(1/float64(channels)), classes, channels)
	n.b.Output(n.b.Op("Gemm", map[string]split.Attr{"transB": int64(1)}, x, w, n.weights(0, 0.1, classes)))
	if n.err != nil {
		return nil, n.err
	}
	return n.b.Graph()
}

// mobileNetV2 is the network of Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018), table 2.
func mobileNetV2() (*split.Graph, error) {
	n, x := newNetwork("mobilenetv2")
	lo, hi := n.b.Const("", scalar(0)), n.b.Const("", scalar(6))
	relu6 := func(v split.ValueID) split.ValueID { return n.b.Op("Clip", nil, v, lo, hi) }
	x = relu6(n.conv(x, 3, 32, 3, 2, 1))
	channels := 32
	for _, row := range []struct{ expand, out, repeat, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		for i := range row.repeat {
			stride, wide, y := 1, channels*row.expand, x
			if i == 0 {
				stride = row.stride
			}
			if row.expand > 1 {
				y = relu6(n.conv(y, channels, wide, 1, 1, 1))
			}
			y = relu6(n.conv(y, wide, wide, 3, stride, wide))
			y = n.conv(y, wide, row.out, 1, 1, 1)
			if stride == 1 && channels == row.out {
				y = n.b.Op("Add", nil, x, y)
			}
			x, channels = y, row.out
		}
	}
	return n.classify(relu6(n.conv(x, channels, 1280, 1, 1, 1)), 1280)
}

// resNet50 is the network of He et al., "Deep Residual Learning for Image Recognition" (2015), table 1, with the stride in the 3×3
// convolution, as it is trained today.
func resNet50() (*split.Graph, error) {
	n, x := newNetwork("resnet50")
	relu := func(v split.ValueID) split.ValueID { return n.b.Op("Relu", nil, v) }
	x = relu(n.conv(x, 3, 64, 7, 2, 1))
	x = n.b.Op("MaxPool", map[string]split.Attr{
		"kernel_shape": []int64{3, 3}, "strides": []int64{2, 2}, "pads": []int64{1, 1, 1, 1},
	}, x)
	channels := 64
	for stage, repeat := range []int{3, 4, 6, 3} {
		width := 64 << stage
		for i := range repeat {
			stride, shortcut := 1, x
			if i == 0 && stage > 0 {
				stride = 2
			}
			if i == 0 {
				shortcut = n.conv(x, channels, 4*width, 1, stride, 1)
			}
			y := relu(n.conv(x, channels, width, 1, 1, 1))
			y = relu(n.conv(y, width, width, 3, stride, 1))
			x, channels = relu(n.b.Op("Add", nil, n.conv(y, width, 4*width, 1, 1, 1), shortcut)), 4*width
		}
	}
	return n.classify(x, channels)
}

func scalar(v float32) *tensor.Tensor {
	t, err := tensor.New(tensor.Float32, tensor.Shape{})
	if err != nil {
		panic(err) // a scalar always fits
	}
	tensor.Data[float32](t)[0] = v
	return t
}
