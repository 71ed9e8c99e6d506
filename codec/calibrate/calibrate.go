package calibrate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cleave-mesh/cleave/codec"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
	"github.com/cleave-mesh/cleave/split/engine"
)

// Options say what is measured.
type Options struct {
	// Backend runs the model; it is required.
	Backend engine.Backend
	Engine  engine.Options
	// Task names how answers are compared; "" or "auto" takes the first that fits.
	Task string
	// Ladder is the codecs to try; nil means DefaultLadder. "uniform:rel=R" is tried with tables that are fitted at R.
	Ladder []codec.Spec
	// MaxCuts is the most cuts that are tried, evenly spread; 0 means all.
	MaxCuts int
	// Values also measures each value alone where a cut has more than one; without it a value's effect is that of the first
	// cut that it crosses.
	Values bool
	// Progress, when not nil, is called after each cut.
	Progress func(done, all int)
}

// DefaultLadder is the codecs that are tried when Options does not say, from exact to coarse.
func DefaultLadder() []codec.Spec {
	var list []codec.Spec
	for _, text := range []string{
		"lossless", "float16", "int8", "int8:axis=1", "int8:entropy=rans", "int4:axis=1,entropy=rans",
		"uniform:rel=0.1", "uniform:rel=0.15", "uniform:rel=0.2", "uniform:rel=0.27", "uniform:rel=0.35", "uniform:rel=0.42", "uniform:rel=0.5",
		"uniform:rel=0.6", "uniform:rel=0.7", "uniform:rel=0.85", "uniform:rel=1", "uniform:rel=1.2", "uniform:rel=1.4", "uniform:rel=1.7", "uniform:rel=2", "uniform:rel=2.4", "uniform:rel=2.8",
	} {
		s, err := codec.Parse(text)
		if err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	return list
}

// ErrInputs is wrapped when there are too few samples or they do not fit the model.
var ErrInputs = errors.New("bad calibration inputs")

// runner holds what every cut needs.
type runner struct {
	g    *split.Graph
	opts Options
	task Task
	// boundary is every value that crosses a chosen cut, per sample.
	boundary []map[split.ValueID]*tensor.Tensor
	answers  [][]*tensor.Tensor
	fitted   int
	// shapes is how the tables of values that were tuned treat channels.
	shapes map[split.ValueID]codec.Shape
	// tables are those of the present cut, so that each is fitted once.
	tables map[tableKey]*codec.Table
	file   *File
}

// tableKey is a value and the step of its table.
type tableKey struct {
	id  split.ValueID
	rel float64
}

// Run measures the canonical graph g on samples, each a tensor per input of the model. Half of the samples, rounded down,
// fit tables, the others judge.
func Run(ctx context.Context, g *split.Graph, samples [][]tensor.Value, opts Options) (*File, error) {
	if len(samples) < 2 {
		return nil, fmt.Errorf("%w: %d samples, at least 2", ErrInputs, len(samples))
	}
	if opts.Ladder == nil {
		opts.Ladder = DefaultLadder()
	}
	var shapes []tensor.Shape
	for _, id := range g.Outputs {
		shapes = append(shapes, g.Values[id].Shape)
	}
	task, err := FindTask(opts.Task, shapes)
	if err != nil {
		return nil, err
	}
	digest := g.Digest()
	r := &runner{g: g, opts: opts, task: task, fitted: len(samples) / 2, shapes: map[split.ValueID]codec.Shape{}}
	r.file = &File{
		Version: Version, Model: g.Name, Digest: hex.EncodeToString(digest[:]), Task: task.Name(),
		Fitted: r.fitted, Judged: len(samples) - r.fitted, Tables: map[string][]byte{}, Shapes: map[string][]int{},
	}
	for _, id := range g.Inputs {
		r.file.Shapes[g.Values[id].Name] = append([]int{}, g.Values[id].Shape...)
	}
	cuts := chooseCuts(g, opts.MaxCuts)
	if err := r.record(ctx, cuts, samples); err != nil {
		return nil, err
	}
	for i, cut := range cuts {
		if err := r.cut(ctx, cut, samples); err != nil {
			return nil, fmt.Errorf("calibrate the cut after group %d: %w", cut.Front, err)
		}
		if opts.Progress != nil {
			opts.Progress(i+1, len(cuts))
		}
	}
	return r.file, nil
}

// codable reports whether the lossy codecs carry the value.
func codable(v *split.Value) bool {
	return v.DType == tensor.Float32 || v.DType == tensor.Float16 || v.DType == tensor.BFloat16
}

// chooseCuts is at most limit of the cuts with something behind and in front of them that computed floats cross; cuts
// that the same values cross are taken once.
func chooseCuts(g *split.Graph, limit int) []split.Cut {
	var all []split.Cut
	last := ""
	for _, c := range split.Cuts(g) {
		computed := false
		for _, v := range c.Values {
			computed = computed || g.Values[v].Producer >= 0 && codable(&g.Values[v])
		}
		if key := fmt.Sprint(c.Values); computed && c.Bytes > 0 && c.Front < len(g.Groups) && key != last {
			all, last = append(all, c), key
		}
	}
	if limit <= 0 || len(all) <= limit {
		return all
	}
	picked := make([]split.Cut, limit)
	for i := range picked {
		picked[i] = all[i*len(all)/limit+len(all)/limit/2]
	}
	return picked
}

// record runs the whole model on every sample and keeps the boundary values and the answers.
func (r *runner) record(ctx context.Context, cuts []split.Cut, samples [][]tensor.Value) error {
	tapped := *r.g
	tapped.Outputs = append([]split.ValueID(nil), r.g.Outputs...)
	seen := map[split.ValueID]bool{}
	for _, id := range r.g.Outputs {
		seen[id] = true
	}
	for _, c := range cuts {
		for _, id := range c.Values {
			if v := &r.g.Values[id]; !seen[id] && v.Producer >= 0 && v.Kind == split.TensorKind {
				seen[id] = true
				tapped.Outputs = append(tapped.Outputs, id)
			}
		}
	}
	exe, err := r.opts.Backend.Compile(ctx, &tapped, r.opts.Engine)
	if err != nil {
		return err
	}
	defer exe.Close()
	for i, in := range samples {
		out, err := exe.Run(ctx, in)
		if err != nil {
			return fmt.Errorf("run sample %d: %w", i, err)
		}
		known := map[split.ValueID]*tensor.Tensor{}
		for k, id := range r.g.Inputs {
			if t, ok := in[k].(*tensor.Tensor); ok {
				known[id] = t
			}
		}
		for k, id := range tapped.Outputs {
			if t, ok := out[k].(*tensor.Tensor); ok {
				known[id] = t.Clone()
			}
		}
		var answer []*tensor.Tensor
		for _, id := range r.g.Outputs {
			if known[id] == nil {
				return fmt.Errorf("%w: output %q is not a tensor", ErrInputs, r.g.Values[id].Name)
			}
			answer = append(answer, known[id])
		}
		r.boundary = append(r.boundary, known)
		r.answers = append(r.answers, answer)
	}
	return nil
}

// cut measures every codec of the ladder on all values of one cut, and on each value that is new.
func (r *runner) cut(ctx context.Context, c split.Cut, samples [][]tensor.Value) error {
	var ids []split.GroupID
	for i := c.Front; i < len(r.g.Groups); i++ {
		ids = append(ids, split.GroupID(i))
	}
	stage, err := r.g.Stage(ids)
	if err != nil {
		return err
	}
	exe, err := r.opts.Backend.Compile(ctx, stage.Graph, r.opts.Engine)
	if err != nil {
		return err
	}
	defer exe.Close()
	var values []split.ValueID
	record := Cut{Front: c.Front}
	for _, id := range c.Values {
		if v := &r.g.Values[id]; v.Producer >= 0 && codable(v) {
			values = append(values, id)
			record.Values = append(record.Values, v.Name)
			n, err := v.Shape.Elements()
			if err != nil {
				return err
			}
			record.Elements += n
		}
	}
	r.tables = map[tableKey]*codec.Table{}
	if err := r.tune(ctx, exe, stage, values); err != nil {
		return err
	}
	for _, s := range r.opts.Ladder {
		p, err := r.measure(ctx, exe, stage, values, s)
		if errors.Is(err, codec.ErrUnsuitable) {
			continue
		}
		if err != nil {
			return err
		}
		record.Points = append(record.Points, p)
	}
	r.file.Cuts = append(r.file.Cuts, record)
	for _, id := range values {
		if err := r.value(ctx, exe, stage, id, values, record.Points); err != nil {
			return err
		}
	}
	return nil
}

// value adds the curve of one value, unless it has one. whole is the curve of the cut that the values in ids cross together.
func (r *runner) value(ctx context.Context, exe engine.Executable, stage *split.Stage, id split.ValueID, ids []split.ValueID, whole []Point) error {
	v := &r.g.Values[id]
	if r.file.Value(v.Name) != nil {
		return nil
	}
	n, err := v.Shape.Elements()
	if err != nil {
		return err
	}
	record := Value{Name: v.Name, DType: v.DType.String(), Shape: v.Shape, Elements: n}
	alone := len(ids) == 1
	switch {
	case alone:
		record.Points = whole
	case !r.opts.Values:
		if record.Points, err = r.own(id, ids, whole); err != nil {
			return err
		}
	default:
		for _, s := range r.opts.Ladder {
			p, err := r.measure(ctx, exe, stage, []split.ValueID{id}, s)
			if errors.Is(err, codec.ErrUnsuitable) {
				continue
			}
			if err != nil {
				return err
			}
			record.Points = append(record.Points, p)
		}
	}
	r.file.Values = append(r.file.Values, record)
	return nil
}

// own is the curve of a cut with rate, time and error of one of its values, under the very tables that the effect was measured
// with.
func (r *runner) own(id split.ValueID, ids []split.ValueID, whole []Point) ([]Point, error) {
	at := slices.Index(ids, id)
	points := append([]Point(nil), whole...)
	for i := range points {
		ladder, err := codec.Parse(points[i].Codec)
		if err != nil {
			return nil, err
		}
		specs, coder, err := r.fit(ids, ladder)
		if err != nil {
			return nil, err
		}
		p, err := r.rate(ids[at:at+1], specs[at:at+1], coder)
		if err != nil {
			return nil, err
		}
		p.Effect = points[i].Effect
		points[i] = p
	}
	return points, nil
}

// share scales the step of a value that crosses a cut among others. Relative errors of values count alike for the answer,
// their bits by size: the fewest bits for a sum of squared relative errors go to steps in proportion to the square root of
// the size. It is 1 for the largest value.
func (r *runner) share(ids []split.ValueID, id split.ValueID) float64 {
	largest := 1
	for _, other := range ids {
		largest = max(largest, r.boundary[0][other].Len())
	}
	return math.Sqrt(float64(max(r.boundary[0][id].Len(), 1)) / float64(largest))
}

// seen is a value in the samples that fit.
func (r *runner) seen(id split.ValueID) (list []*tensor.Tensor) {
	for k := range r.fitted {
		list = append(list, r.boundary[k][id])
	}
	return list
}

// table is the table of a value at a step; nil for a value that is always zero or not finite.
func (r *runner) table(id split.ValueID, rel float64) *codec.Table {
	key := tableKey{id, rel}
	t, ok := r.tables[key]
	if !ok {
		if fitted, err := codec.FitShape(r.seen(id), rel, r.shapes[id]); err == nil {
			t = fitted
		}
		r.tables[key] = t
	}
	return t
}

// fit turns a rung of the ladder into the specs of the values, with tables where the codec has them.
func (r *runner) fit(ids []split.ValueID, s codec.Spec) ([]codec.Spec, *codec.Coder, error) {
	specs := make([]codec.Spec, len(ids))
	var tables []*codec.Table
	for i, id := range ids {
		specs[i] = s
		rel := math.NaN()
		if s.ID == codec.Uniform {
			if _, err := fmt.Sscan(s.Params["rel"], &rel); err != nil || s.Params["table"] != "" {
				continue
			}
			t := r.table(id, rel*r.share(ids, id))
			if t == nil {
				continue
			}
			b, err := t.AppendBinary(nil)
			if err != nil {
				return nil, nil, err
			}
			r.file.Tables[t.ID().String()] = b
			tables = append(tables, t)
			specs[i] = codec.Spec{ID: codec.Uniform}.With("table", t.ID().String())
		}
	}
	return specs, codec.NewCoder(tables...), nil
}
