package native

import (
	"math"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalBatchNorm uses the running statistics, or in training mode the batch's own, which it also hands over.
func evalBatchNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	s := x.Shape()
	if len(s) < 2 {
		return c.errorf("needs batch and channel dimensions, not %v", s)
	}
	var par [4][]float64 // scale, bias, mean, variance
	for i := range par {
		t, err := c.tensor(i + 1)
		if err != nil {
			return err
		}
		if par[i] = floats(t); len(par[i]) != s[1] {
			return c.errorf("input %d has %d elements for %d channels", i+1, len(par[i]), s[1])
		}
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	_, ch, inner := blocks(s, 1)
	v := floats(x)
	eps := c.attrFloat("epsilon", 1e-5)
	if c.attrInt("training_mode", 0) == 1 {
		if err := c.trainBatchNorm(v, ch, inner, &par); err != nil {
			return err
		}
	}
	for i := range v {
		k := i / inner % ch
		v[i] = (v[i]-par[2][k])/math.Sqrt(par[3][k]+eps)*par[0][k] + par[1][k]
	}
	setFloats(out, v)
	return nil
}

// trainBatchNorm replaces mean and variance by the batch's and hands over the new running ones.
func (c *call) trainBatchNorm(v []float64, ch, inner int, par *[4][]float64) error {
	mean, variance := make([]float64, ch), make([]float64, ch)
	n := float64(max(len(v)/ch, 1))
	for i, x := range v {
		mean[i/inner%ch] += x / n
	}
	for i, x := range v {
		d := x - mean[i/inner%ch]
		variance[i/inner%ch] += d * d / n
	}
	momentum := c.attrFloat("momentum", .9)
	for i, batch := range [][]float64{mean, variance} {
		old := c.maybe(i + 3)
		run, err := c.output(i+1, old.DType(), old.Shape())
		if err != nil {
			return err
		}
		r := make([]float64, ch)
		for k := range r {
			r[k] = par[i+2][k]*momentum + batch[k]*(1-momentum)
		}
		setFloats(run, r)
		par[i+2] = batch
	}
	return nil
}

// evalInstanceNorm normalises each channel of each image.
func evalInstanceNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	if len(x.Shape()) < 3 {
		return c.errorf("needs spatial dimensions, not %v", x.Shape())
	}
	return c.groupNorm(x, x.Shape()[1])
}

func evalGroupNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	groups := c.attrInt("num_groups", 1)
	if len(x.Shape()) < 2 || groups < 1 || x.Shape()[1]%groups != 0 {
		return c.errorf("%d groups do not fit %v", groups, x.Shape())
	}
	return c.groupNorm(x, groups)
}

func (c *call) groupNorm(x *tensor.Tensor, groups int) error {
	s := x.Shape()
	_, ch, inner := blocks(s, 1)
	var par [2][]float64
	for i := range par {
		t, err := c.tensor(i + 1)
		if err != nil {
			return err
		}
		if par[i] = floats(t); len(par[i]) != ch {
			return c.errorf("input %d has %d elements for %d channels", i+1, len(par[i]), ch)
		}
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	v, n := floats(x), ch/groups*inner
	if n == 0 {
		return nil
	}
	for g := range len(v) / n {
		row := v[g*n : (g+1)*n]
		standardize(row, c.attrFloat("epsilon", 1e-5), false)
		for i := range row {
			k := (g*n + i) / inner % ch
			row[i] = row[i]*par[0][k] + par[1][k]
		}
	}
	setFloats(out, v)
	return nil
}

// standardize subtracts the mean and divides by the standard deviation; with rms it divides by the root mean square only.
// It returns what it subtracted and one over what it divided by.
func standardize(row []float64, eps float64, rms bool) (mean, inv float64) {
	n := float64(len(row))
	if !rms {
		for _, x := range row {
			mean += x
		}
		mean /= n
	}
	sum := 0.0
	for _, x := range row {
		sum += (x - mean) * (x - mean)
	}
	inv = 1 / math.Sqrt(sum/n+eps)
	for i, x := range row {
		row[i] = (x - mean) * inv
	}
	return mean, inv
}

// evalLayerNorm is LayerNormalization, RMSNormalization and com.microsoft's SimplifiedLayerNormalization.
func evalLayerNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	rms := c.op.Type != "LayerNormalization"
	axis, err := c.axis(c.attrInt("axis", -1), len(x.Shape()))
	if err != nil {
		return err
	}
	out, err := c.output(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	v := floats(x)
	means, invs, err := c.normRows(v, x.Shape(), axis, 1, 2, rms)
	if err != nil {
		return err
	}
	setFloats(out, v)
	return c.normStatistics(1, x.Shape(), axis, means, invs, rms)
}

// normRows normalises the rows of v that begin at axis and applies scale and bias, inputs scale and bias.
func (c *call) normRows(v []float64, s tensor.Shape, axis, scale, bias int, rms bool) (means, invs []float64, err error) {
	n := size(s[axis:])
	if n == 0 {
		return nil, nil, nil
	}
	par := [2][]float64{}
	for i, k := range []int{scale, bias} {
		t := c.maybe(k)
		if t == nil {
			continue
		}
		so, ok := broadcastShapes(t.Shape(), s)
		if !ok || !so.Equal(s) || len(t.Shape()) > len(s)-axis && t.Len() != n {
			return nil, nil, c.errorf("input %d %v does not fit %v", k, t.Shape(), s)
		}
		par[i] = make([]float64, n)
		expand(par[i], s[axis:], floats(t), t.Shape()[max(0, len(t.Shape())-(len(s)-axis)):])
	}
	eps := c.attrFloat("epsilon", 1e-5)
	for r := 0; r < len(v); r += n {
		row := v[r : r+n]
		mean, inv := standardize(row, eps, rms)
		means, invs = append(means, mean), append(invs, inv)
		for i := range row {
			if par[0] != nil {
				row[i] *= par[0][i]
			}
			if par[1] != nil {
				row[i] += par[1][i]
			}
		}
	}
	return means, invs, nil
}

// normStatistics hands over the means and inverse deviations from output first on, those that somebody wants.
func (c *call) normStatistics(first int, s tensor.Shape, axis int, means, invs []float64, rms bool) error {
	rows := s.Clone()
	for i := axis; i < len(rows); i++ {
		rows[i] = 1
	}
	lists := [][]float64{means, invs}
	if rms {
		lists = lists[1:]
	}
	for i, v := range lists {
		if !c.want(first + i) {
			continue
		}
		t, err := c.output(first+i, tensor.Float32, rows)
		if err != nil {
			return err
		}
		setFloats(t, v)
	}
	return nil
}

// evalSkipLayerNorm is com.microsoft's SkipLayerNormalization and SkipSimplifiedLayerNormalization: the normalised sum of
// input, skip and bias, and as output 3 the sum itself.
func evalSkipLayerNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	skip, err := c.tensor(1)
	if err != nil {
		return err
	}
	rms := c.op.Type == "SkipSimplifiedLayerNormalization"
	beta, bias := 3, 4
	if rms {
		beta, bias = -1, 3
	}
	s := x.Shape()
	if so, ok := broadcastShapes(skip.Shape(), s); !ok || !so.Equal(s) || len(s) == 0 {
		return c.errorf("skip %v does not fit %v", skip.Shape(), s)
	}
	v := floats(x)
	add := func(a, b float64) float64 { return a + b }
	zip(v, s, v, s, floats(skip), skip.Shape(), add)
	if t := c.maybe(bias); t != nil {
		if so, ok := broadcastShapes(t.Shape(), s); !ok || !so.Equal(s) {
			return c.errorf("bias %v does not fit %v", t.Shape(), s)
		}
		zip(v, s, v, s, floats(t), t.Shape(), add)
	}
	if c.want(3) {
		sum, err := c.output(3, x.DType(), s)
		if err != nil {
			return err
		}
		setFloats(sum, v)
	}
	out, err := c.output(0, x.DType(), s)
	if err != nil {
		return err
	}
	means, invs, err := c.normRows(v, s, len(s)-1, 2, beta, rms)
	if err != nil {
		return err
	}
	setFloats(out, v)
	if rms {
		return c.normStatistics(2, s, len(s)-1, means, invs, true)
	}
	return c.normStatistics(1, s, len(s)-1, means, invs, false)
}

func evalLpNorm(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	axis, err := c.axis(c.attrInt("axis", -1), len(x.Shape()))
	if err != nil {
		return err
	}
	out, err := c.output(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	v := floats(x)
	outer, n, inner := blocks(x.Shape(), axis)
	for o := range outer {
		for i := range inner {
			norm := 0.0
			for j := range n {
				a := math.Abs(v[(o*n+j)*inner+i])
				if c.attrInt("p", 2) == 1 {
					norm += a
				} else {
					norm += a * a
				}
			}
			if c.attrInt("p", 2) == 2 {
				norm = math.Sqrt(norm)
			}
			for j := range n {
				if norm != 0 {
					v[(o*n+j)*inner+i] /= norm
				}
			}
		}
	}
	setFloats(out, v)
	return nil
}

// evalLRN divides by the local energy over neighbouring channels (Krizhevsky et al., 2012).
func evalLRN(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	if len(x.Shape()) < 2 {
		return c.errorf("needs batch and channel dimensions, not %v", x.Shape())
	}
	out, err := c.output(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	outer, ch, inner := blocks(x.Shape(), 1)
	k := c.attrInt("size", 1)
	alpha, beta, bias := c.attrFloat("alpha", 1e-4), c.attrFloat("beta", .75), c.attrFloat("bias", 1)
	v := floats(x)
	r := make([]float64, len(v))
	for o := range outer {
		for j := range ch {
			lo, hi := max(0, j-(k-1)/2), min(ch-1, j+k/2)
			for i := range inner {
				sum := 0.0
				for m := lo; m <= hi; m++ {
					y := v[(o*ch+m)*inner+i]
					sum += y * y
				}
				at := (o*ch+j)*inner + i
				r[at] = v[at] / math.Pow(bias+alpha/float64(k)*sum, beta)
			}
		}
	}
	setFloats(out, r)
	return nil
}

// evalMeanVariance subtracts mean and divides by deviation over the given axes.
func evalMeanVariance(c *call) error {
	x, err := c.tensor(0)
	if err != nil {
		return err
	}
	axes := c.attrInts("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	if axes, err = c.axes(axes, len(x.Shape())); err != nil {
		return err
	}
	drop := make([]bool, len(x.Shape()))
	kept := x.Shape().Clone()
	for _, a := range axes {
		drop[a], kept[a] = true, 1
	}
	out, err := c.output(0, x.DType(), x.Shape())
	if err != nil {
		return err
	}
	v, mean, square := floats(x), make([]float64, size(kept)), make([]float64, size(kept))
	fold(floatReduction("ReduceMean"), x.Shape(), drop, v, mean)
	s := x.Shape()
	zip(v, s, v, s, mean, kept, func(a, m float64) float64 { return a - m })
	fold(floatReduction("ReduceSumSquare"), s, drop, v, square)
	n := float64(max(len(v)/max(len(mean), 1), 1))
	zip(v, s, v, s, square, kept, func(a, q float64) float64 { return a / (math.Sqrt(q/n) + 1e-9) })
	setFloats(out, v)
	return nil
}
