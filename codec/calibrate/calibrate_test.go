package calibrate

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// network is two layers with a ReLU between them, over vectors of 64, with ten scores at the end.
func network(t *testing.T, rng *rand.Rand) *split.Graph {
	t.Helper()
	b := split.NewBuilder("small", 17)
	weights := func(name string, rows, cols int) split.ValueID {
		w, err := tensor.New(tensor.Float32, tensor.Shape{rows, cols})
		if err != nil {
			t.Fatal(err)
		}
		for i := range tensor.Data[float32](w) {
			tensor.Data[float32](w)[i] = float32(rng.NormFloat64()) / 8
		}
		return b.Const(name, w)
	}
	x := b.Input("x", split.Type{DType: tensor.Float32, Shape: tensor.Shape{1, 64}})
	h := b.Op("Gemm", nil, x, weights("w0", 64, 512))
	r := b.Op("Relu", nil, h)
	y := b.Op("Gemm", nil, r, weights("w1", 512, 10))
	b.Output(y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if g, err = split.Specialize(g, nil); err != nil {
		t.Fatal(err)
	}
	if g, err = split.Canonicalize(g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRun(t *testing.T) {
	const seed = 41
	rng := rand.New(rand.NewPCG(seed, 1))
	g := network(t, rng)
	var samples [][]tensor.Value
	for range 24 {
		x, err := tensor.New(tensor.Float32, tensor.Shape{1, 64})
		if err != nil {
			t.Fatal(err)
		}
		for i := range tensor.Data[float32](x) {
			tensor.Data[float32](x)[i] = float32(rng.NormFloat64())
		}
		samples = append(samples, []tensor.Value{x})
	}
	f, err := Run(t.Context(), g, samples, Options{Backend: native.New(native.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	if f.Task != "top1" || f.Judged != 12 || len(f.Cuts) == 0 {
		t.Fatalf("task %s, %d judged, %d cuts", f.Task, f.Judged, len(f.Cuts))
	}
	for _, c := range f.Cuts {
		exact, coarse := c.Points[0], c.Points[len(c.Points)-1]
		if exact.Codec != "lossless" || exact.Effect.Agreement != 1 || exact.Effect.Error != 0 {
			t.Errorf("cut %d: lossless changes the answer: %+v", c.Front, exact)
		}
		if coarse.Effect.Error <= 0 || coarse.Bits >= exact.Bits {
			t.Errorf("cut %d: the coarsest codec costs %g bits and changes the answer by %g", c.Front, coarse.Bits, coarse.Effect.Error)
		}
	}
	path := filepath.Join(t.TempDir(), "m.onnx"+Suffix)
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(f.Write(&a), again.Write(&b)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("a file does not come back as it was")
	}
	coder, err := again.Coder()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range again.Values {
		x, err := tensor.New(tensor.Float32, v.Shape)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range v.Points {
			s, err := codec.Parse(p.Codec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := coder.Append(nil, x, s); err != nil {
				t.Errorf("%s as %s: %v", v.Name, s, err)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	head := `{"version":1,"digest":"` + strings.Repeat("ab", 32) + `",`
	for _, text := range []string{
		"", "[]", `{"version":2}`, `{"version":1}`, `{"version":1,"digest":"ab"}`, head, head + `"tables":{"00":"AQ=="}}`,
		head + `"values":[{"points":[{"codec":"no such"}]}]}`,
		head + `"values":[{"points":[{"codec":"uniform:table=0123456789abcdef"}]}]}`,
		head + `"cuts":[{"points":[{"codec":"uniform:table=0123456789abcdef"}]}]}`,
		head + `"values":[{"name":"a"},{"name":"a"}]}`,
		head + `"values":[{"name":"a","elements":-1}]}`,
		head + `"values":[{"points":[{"codec":"raw","bytes":-1}]}]}`,
		head + `"values":[{"points":[{"codec":"raw","effect":{"agreement":2}}]}]}`,
		head + `"values":[{"points":[` + strings.Repeat(`{"codec":"raw"},`, MaxPoints) + `{"codec":"raw"}]}]}`,
	} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrFile) {
			t.Errorf("%.200q: %v", text, err)
		}
	}
	f, err := Read(strings.NewReader(head[:len(head)-1] + "}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Fits(strings.Repeat("ab", 32)); err != nil {
		t.Error(err)
	}
	if err := f.Fits(strings.Repeat("cd", 32)); !errors.Is(err, ErrForeign) {
		t.Errorf("a file of another graph: %v", err)
	}
}

func TestBoxes(t *testing.T) {
	boxes := func(list ...box) func([]*tensor.Tensor) []box {
		return func(out []*tensor.Tensor) []box {
			if out == nil {
				return list
			}
			return []box{{0, 0.9, 0, 0, 10, 10}, {0, 0.8, 1, 1, 11, 11}, {1, 0.9, 20, 20, 30, 30}}
		}
	}
	for _, c := range []struct {
		name      string
		other     []box
		same, all int
	}{
		{"equal", []box{{0, 0.9, 0, 0, 10, 10}, {1, 0.9, 20, 20, 30, 30}}, 2, 2},
		{"moved a little", []box{{0, 0.9, 0.2, 0, 10.2, 10}, {1, 0.9, 20, 20, 30, 30}}, 2, 2},
		{"moved too far", []box{{0, 0.9, 2, 0, 12, 10}, {1, 0.9, 20, 20, 30, 30}}, 1, 3},
		{"another class", []box{{0, 0.9, 0, 0, 10, 10}, {2, 0.9, 20, 20, 30, 30}}, 1, 3},
		{"doubtful", []box{{0, 0.6, 0, 0, 10, 10}, {1, 0.9, 20, 20, 30, 30}}, 2, 2},
		{"doubtful and new", []box{{0, 0.9, 0, 0, 10, 10}, {1, 0.9, 20, 20, 30, 30}, {0, 0.6, 50, 50, 60, 60}}, 2, 2},
		{"without an area", []box{{0, 0.9, 0, 0, 10, 10}, {1, 0.9, 20, 20, 30, 30}, {0, 0.9, 5, 5, 5, 9}}, 2, 2},
	} {
		task := boxTask{detect: boxes(c.other...), least: 0.7}
		if same, all := task.Agree([]*tensor.Tensor{}, nil); same != c.same || all != c.all {
			t.Errorf("%s: %d of %d agree, want %d of %d", c.name, same, all, c.same, c.all)
		}
	}
}

func TestFindTask(t *testing.T) {
	for _, c := range []struct {
		want   string
		shapes []tensor.Shape
	}{
		{"blazeface", []tensor.Shape{{1, 512, 1}, {1, 384, 1}, {1, 512, 16}, {1, 384, 16}}},
		{"ultraface", []tensor.Shape{{1, 4420, 2}, {1, 4420, 4}}},
		{"yolox", []tensor.Shape{{1, 3549, 85}}},
		{"top1", []tensor.Shape{{1, 1000, 1, 1}}},
		{"text", []tensor.Shape{{1, 40, 6625}}},
		{"mask", []tensor.Shape{{1, 1, 256, 256}}},
		{"none", []tensor.Shape{{1, 3, 256, 256}}},
	} {
		task, err := FindTask("auto", c.shapes)
		if err != nil || task.Name() != c.want {
			t.Errorf("%v: %v %v, want %s", c.shapes, task, err, c.want)
		}
	}
	if _, err := FindTask("top1", []tensor.Shape{{1, 3, 256, 256}}); err == nil {
		t.Error("top1 fits a picture")
	}
}

func TestSample(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			img.Set(x, y, color.RGBA{200, 100, 50, 255})
		}
	}
	p, err := ParsePixels("scale=100,offset=-1,order=bgr")
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range []tensor.Shape{{1, 8, 9, 3}, {1, 3, 8, 9}} {
		for i := range 4 {
			x, err := Sample([]image.Image{img}, i, shape, p)
			if err != nil {
				t.Fatal(err)
			}
			v := tensor.Data[float32](x)
			last := v[len(v)-1]
			if v[0] != -0.5 || last != 1 {
				t.Errorf("%v, sample %d: first %g, last %g, want -0.5 and 1", shape, i, v[0], last)
			}
		}
	}
	for _, text := range []string{"scale=0", "scale=1/2", "order=grb", "mean=1", "offset=x"} {
		if _, err := ParsePixels(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
