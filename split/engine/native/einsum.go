package native

import (
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// evalEinsum sums products over the labels that its output lacks. An ellipsis stands for dimensions that broadcast.
func evalEinsum(c *call) error {
	ts, err := c.tensors()
	if err != nil {
		return err
	}
	eq := strings.ReplaceAll(c.attrString("equation", ""), " ", "")
	left, right, explicit := strings.Cut(eq, "->")
	terms := strings.Split(left, ",")
	if len(terms) != len(ts) {
		return c.errorf("equation %q has %d terms for %d inputs", eq, len(terms), len(ts))
	}
	sizes := map[rune]int{}
	counts := map[rune]int{}
	dots := 0 // dimensions behind the ellipsis, named by upper private runes
	var labels [][]rune
	for i, term := range terms {
		l, err := c.expandTerm(term, len(ts[i].Shape()), &dots)
		if err != nil {
			return err
		}
		labels = append(labels, l)
		for k, r := range l {
			d := ts[i].Shape()[k]
			if old, ok := sizes[r]; ok && old != d && old != 1 && d != 1 {
				return c.errorf("label %q is %d and %d", r, old, d)
			}
			sizes[r] = max(sizes[r], d)
			counts[r]++
		}
	}
	var out []rune
	if explicit {
		if out, err = c.expandTerm(right, dots+len([]rune(strings.ReplaceAll(right, "...", ""))), &dots); err != nil {
			return err
		}
	} else {
		for d := range dots {
			out = append(out, ellipsisLabel(d, dots))
		}
		var once []rune
		for r, n := range counts {
			if n == 1 && r < ellipsisBase {
				once = append(once, r)
			}
		}
		slices.Sort(once)
		out = append(out, once...)
	}
	all := slices.Clone(out)
	for _, l := range labels {
		for _, r := range l {
			if !slices.Contains(all, r) {
				all = append(all, r)
			}
		}
	}
	shape := tensor.Shape{}
	for _, r := range all {
		if _, ok := sizes[r]; !ok {
			return c.errorf("label %q of the output is in no input", r)
		}
		shape = append(shape, sizes[r])
	}
	return c.contract(ts, labels, all, shape, len(out))
}

// ellipsisBase is the first of the labels that stand for the dimensions behind an ellipsis.
const ellipsisBase = 0xE000

// ellipsisLabel labels dimension d of n, aligned at the right.
func ellipsisLabel(d, n int) rune { return ellipsisBase + rune(n-1-d) }

func (c *call) expandTerm(term string, rank int, dots *int) ([]rune, error) {
	before, after, has := strings.Cut(term, "...")
	l := []rune(before)
	if has {
		n := rank - len([]rune(before)) - len([]rune(after))
		if n < 0 {
			return nil, c.errorf("term %q does not fit rank %d", term, rank)
		}
		*dots = max(*dots, n)
		for d := range n {
			l = append(l, ellipsisLabel(d, n))
		}
	}
	l = append(l, []rune(after)...)
	if len(l) != rank {
		return nil, c.errorf("term %q does not fit rank %d", term, rank)
	}
	return l, nil
}

// contract sums over the last labels of all; the first kept ones are the output's.
func (c *call) contract(ts []*tensor.Tensor, labels [][]rune, all []rune, shape tensor.Shape, kept int) error {
	sts := make([][]int, len(ts))
	data := make([][]float64, len(ts))
	for i, t := range ts {
		own := strides(t.Shape())
		sts[i] = make([]int, len(all))
		for k, r := range labels[i] {
			if t.Shape()[k] != 1 {
				sts[i][slices.Index(all, r)] += own[k]
			}
		}
		data[i] = floats(t)
	}
	out, err := c.output(0, ts[0].DType(), shape[:kept])
	if err != nil {
		return err
	}
	r := make([]float64, out.Len())
	outSt := make([]int, len(all))
	copy(outSt, strides(shape[:kept]))
	sts = append(sts, outSt)
	walk(shape, sts, func(n int, at []int) {
		for k := range n {
			v := 1.0
			for i, d := range data {
				v *= d[at[i]+k*last(sts[i])]
			}
			r[at[len(ts)]+k*last(outSt)] += v
		}
	})
	setFloats(out, r)
	return nil
}
