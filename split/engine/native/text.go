package native

import (
	"regexp"
	"slices"
	"strings"

	"github.com/cleave-mesh/cleave/internal/tensor"
)

// strings is input i, a string tensor.
func (c *call) strings(i int) (*tensor.Tensor, []string, error) {
	t, err := c.tensor(i)
	if err != nil {
		return nil, nil, err
	}
	if t.DType() != tensor.String {
		return nil, nil, c.errorf("input %d must hold strings, not %s", i, t.DType())
	}
	return t, t.Strings(), nil
}

// evalStringNormalizer drops stop words and changes case.
func evalStringNormalizer(c *call) error {
	t, text, err := c.strings(0)
	if err != nil {
		return err
	}
	stop := attr[[]string](c.op, "stopwords", nil)
	sensitive := c.attrInt("is_case_sensitive", 0) == 1
	change := c.attrString("case_change_action", "NONE")
	var kept []string
	for _, s := range text {
		if slices.ContainsFunc(stop, func(w string) bool { return w == s || !sensitive && strings.EqualFold(w, s) }) {
			continue
		}
		switch change {
		case "LOWER":
			s = strings.ToLower(s)
		case "UPPER":
			s = strings.ToUpper(s)
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		kept = []string{""}
	}
	shape := tensor.Shape{len(kept)}
	if len(t.Shape()) == 2 {
		shape = tensor.Shape{1, len(kept)}
	}
	out, err := c.output(0, tensor.String, shape)
	if err != nil {
		return err
	}
	copy(out.Strings(), kept)
	return nil
}

func evalStringConcat(c *call) error {
	a, x, err := c.strings(0)
	if err != nil {
		return err
	}
	b, y, err := c.strings(1)
	if err != nil {
		return err
	}
	so, ok := broadcastShapes(a.Shape(), b.Shape())
	if !ok {
		return c.errorf("shapes %v and %v cannot be broadcast", a.Shape(), b.Shape())
	}
	out, err := c.output(0, tensor.String, so)
	if err != nil {
		return err
	}
	zip(out.Strings(), so, x, a.Shape(), y, b.Shape(), func(x, y string) string { return x + y })
	return nil
}

// evalStringSplit gives the parts of each string, padded with empty ones, and their numbers.
func evalStringSplit(c *call) error {
	t, text, err := c.strings(0)
	if err != nil {
		return err
	}
	sep, most := c.attrString("delimiter", ""), c.attrInt("maxsplit", -1)
	parts, widest := make([][]string, len(text)), 0
	for i, s := range text {
		switch {
		case sep != "" && most >= 0:
			parts[i] = strings.SplitN(s, sep, most+1)
		case sep != "":
			parts[i] = strings.Split(s, sep)
		case most >= 0:
			rest := strings.TrimSpace(s)
			for rest != "" && len(parts[i]) < most {
				word, after, _ := strings.Cut(rest, " ")
				parts[i], rest = append(parts[i], word), strings.TrimLeft(after, " ")
			}
			if rest != "" {
				parts[i] = append(parts[i], rest)
			}
		default:
			parts[i] = strings.Fields(s)
		}
		if s == "" {
			parts[i] = nil
		}
		widest = max(widest, len(parts[i]))
	}
	out, err := c.output(0, tensor.String, append(t.Shape().Clone(), widest))
	if err != nil {
		return err
	}
	counts, err := c.output(1, tensor.Int64, t.Shape())
	if err != nil {
		return err
	}
	for i, p := range parts {
		copy(out.Strings()[i*widest:], p)
		tensor.Data[int64](counts)[i] = int64(len(p))
	}
	return nil
}

func evalRegexFullMatch(c *call) error {
	t, text, err := c.strings(0)
	if err != nil {
		return err
	}
	re, err := regexp.Compile("^(?:" + c.attrString("pattern", "") + ")$")
	if err != nil {
		return c.errorf("%w", err)
	}
	out, err := c.output(0, tensor.Bool, t.Shape())
	if err != nil {
		return err
	}
	for i, s := range text {
		tensor.Data[bool](out)[i] = re.MatchString(s)
	}
	return nil
}

// evalTfIdf counts n-grams of a pool, with up to max_skip_count items skipped between their parts.
func evalTfIdf(c *call) error {
	t, err := c.tensor(0)
	if err != nil {
		return err
	}
	lo, hi, skips := c.attrInt("min_gram_length", 1), c.attrInt("max_gram_length", 1), c.attrInt("max_skip_count", 0)
	counts, indexes := c.attrInts("ngram_counts"), c.attrInts("ngram_indexes")
	weights := attr[[]float32](c.op, "weights", nil)
	mode := c.attrString("mode", "TF")
	words := attr[[]string](c.op, "pool_strings", nil)
	numbers := c.attrInts("pool_int64s")
	var same func(i, pool int) bool // whether element i is item pool of the pool
	n := len(numbers)
	if words != nil {
		n = len(words)
		if t.DType() != tensor.String {
			return c.errorf("the pool holds strings, the input %s", t.DType())
		}
		same = func(i, pool int) bool { return t.Strings()[i] == words[pool] }
	} else {
		v, err := c.ints(0)
		if err != nil {
			return err
		}
		same = func(i, pool int) bool { return v[i] == numbers[pool] }
	}
	s := t.Shape()
	if len(s) < 1 || len(s) > 2 || len(indexes) == 0 || slices.Min(indexes) < 0 || lo < 1 || hi < lo {
		return c.errorf("input %v, n-gram lengths %d to %d or indexes are not valid", s, lo, hi)
	}
	rows, cols, width := 1, s[len(s)-1], slices.Max(indexes)+1
	os := tensor.Shape{width}
	if len(s) == 2 {
		rows, os = s[0], tensor.Shape{s[0], width}
	}
	out, err := c.output(0, tensor.Float32, os)
	if err != nil {
		return err
	}
	d := tensor.Data[float32](out)
	clear(d)
	gram := 0 // number of n-grams before the current one
	for length := 1; length <= len(counts); length++ {
		from, to := counts[length-1], n
		if length < len(counts) {
			to = counts[length]
		}
		if from < 0 || to > n || from > to {
			return c.errorf("ngram_counts %v do not fit a pool of %d", counts, n)
		}
		for at := from; at+length <= to; at += length {
			if gram >= len(indexes) {
				return c.errorf("%d indexes are too few for the pool", len(indexes))
			}
			for r := range rows {
				if length < lo || length > hi {
					break
				}
				for skip := 1; skip <= skips+1; skip++ {
					for i := 0; i+(length-1)*skip < cols; i++ {
						match := true
						for k := range length {
							match = match && same(r*cols+i+k*skip, at+k)
						}
						if match {
							d[r*width+indexes[gram]]++
						}
					}
					if length == 1 {
						break
					}
				}
			}
			gram++
		}
	}
	if mode == "TF" {
		return nil
	}
	scale := make([]float32, width)
	for i, at := range indexes {
		scale[at] = 1
		if i < len(weights) {
			scale[at] = weights[i]
		}
	}
	for i, v := range d {
		if mode == "IDF" && v > 0 {
			v = 1
		}
		d[i] = v * scale[i%width]
	}
	return nil
}
