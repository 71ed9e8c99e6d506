package native

import (
	"github.com/cleave-mesh/cleave/internal/kernel"
	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

// broadcast appends an op one or both of whose operands repeat. Neighbouring dimensions along which both operands behave alike are
// merged; what remains is a few loops around rows in which each operand advances by one or stands still.
func (c *compiler) broadcast(typ string, act kernel.Activation, a, b, y split.ValueID) bool {
	so := c.p.slots[y].shape
	total, err := so.Elements()
	if err != nil || total == 0 {
		return false
	}
	cl := len(so) >= 3 && len(so) <= 4 && (!c.plain[a] && c.p.slots[a].shape.Equal(so) || !c.plain[b] && c.p.slots[b].shape.Equal(so))
	s := &broadcastStep{f: operationOf(typ), typ: typ, act: act}
	var sts [2][]int
	for i, v := range []split.ValueID{a, b} {
		vs := c.p.slots[v].shape
		slot := int(v)
		if !cl {
			c.toPlain(v)
			sts[i] = broadcastStrides(vs, so)
		} else {
			full := append(make(tensor.Shape, 0, len(so)), vs...)
			for len(full) < len(so) {
				full = append(tensor.Shape{1}, full...)
			}
			if vs.Equal(so) || c.cl[v] >= 0 && len(vs) == len(so) {
				slot = c.toCL(v)
			} else {
				c.toPlain(v)
				// Only what has one varying block keeps its order of elements when the channels move to the end.
				if size(full[2:]) != 1 && full[1] != 1 {
					return false
				}
			}
			sts[i] = broadcastStrides(channelsLast(full), channelsLast(so))
		}
		s.in[i] = slot
	}
	mem := so
	if cl {
		mem = channelsLast(so)
	}
	s.shape, s.strides = mergeDims(mem, sts)
	s.y = c.out(y, cl)
	s.task.f = s.rows
	s.prepare(total)
	s.task.nanos += total * actPicos(act.Kind) / 1000
	s.join()
	c.add(s, stepIO{reads: s.in[:], writes: []int{s.y}})
	return true
}

// mergeDims joins neighbouring dimensions over which every operand is contiguous or every operand that stands still does so.
func mergeDims(shape tensor.Shape, sts [2][]int) (tensor.Shape, [2][]int) {
	out := tensor.Shape{}
	var res [2][]int
	for d, n := range shape {
		if n == 1 {
			continue
		}
		if k := len(out) - 1; k >= 0 && res[0][k] == sts[0][d]*n && res[1][k] == sts[1][d]*n {
			out[k] *= n
			res[0][k], res[1][k] = sts[0][d], sts[1][d]
			continue
		}
		out = append(out, n)
		res[0], res[1] = append(res[0], sts[0][d]), append(res[1], sts[1][d])
	}
	if len(out) == 0 {
		out = tensor.Shape{1}
		res = [2][]int{{0}, {0}}
	}
	return out, res
}

// broadcastStep computes y = act(op(a, b)) row by row.
type broadcastStep struct {
	rowPairs
	f   operation
	typ string
	act kernel.Activation

	x, w, dst []float32
	// repeated holds copies of the operand that is the same in every row, side by side, when rows are short: as many rows
	// then are computed at once. same says which operand it is.
	repeated []float32
	same     int
}

// repeatElements is about how many elements rows are joined to.
const repeatElements = 1024

// join makes the step compute several rows at once where that is possible.
func (s *broadcastStep) join() {
	n := s.task.n
	per := repeatElements / n
	if len(s.shape) != 2 || per < 2 || s.strides[0][1] != 1 || s.strides[1][1] != 1 {
		return
	}
	switch {
	case s.strides[0][0] == n && s.strides[1][0] == 0:
		s.same = 1
	case s.strides[0][0] == 0 && s.strides[1][0] == n:
		s.same = 0
	default:
		return
	}
	s.repeated = make([]float32, per*n)
	s.task.rows = (s.shape[0] + per - 1) / per
	s.task.f = s.joined
}

// joined computes units lo to hi-1 of joined rows.
func (s *broadcastStep) joined(lo, hi int) {
	n := len(s.repeated)
	for u := lo; u < hi; u++ {
		y := s.dst[u*n : min((u+1)*n, s.shape[0]*s.task.n)]
		if w := s.repeated[:len(y)]; s.same == 1 {
			s.f(y, s.x[u*n:u*n+len(y)], w)
		} else {
			s.f(y, w, s.w[u*n:u*n+len(y)])
		}
		if s.act.Kind != kernel.ActNone {
			s.act.Apply(y, y)
		}
	}
}

// rowPairs is an op of two operands row by row, in each of which an operand advances or stands still.
type rowPairs struct {
	in      [2]int
	y       int
	shape   tensor.Shape // merged, in the order of memory
	strides [2][]int
	at      [2][]int32 // where each row of each operand begins
	task    rowTask
}

// rowTask is a task over rows of n elements.
type rowTask struct {
	rows, n, nanos int
	f              func(lo, hi int)
}

// Units implements pool.Task.
func (t *rowTask) Units() int { return t.rows }

// Nanos implements pool.Task.
func (t *rowTask) Nanos() int { return t.nanos }

// Run implements pool.Task.
func (t *rowTask) Run(lo, hi int) { t.f(lo, hi) }

// prepare lists the rows of an output of total elements.
func (s *rowPairs) prepare(total int) {
	k := len(s.shape) - 1
	s.task.n = s.shape[k]
	s.task.rows = total / s.task.n
	s.task.nanos = total*cheapPicos/1000 + s.task.rows*4
	idx := make([]int, k)
	for r := range s.task.rows {
		unravel(r, s.shape[:k], idx)
		for o := range s.at {
			at := 0
			for d, i := range idx {
				at += i * s.strides[o][d]
			}
			s.at[o] = append(s.at[o], int32(at))
		}
	}
}

func (s *broadcastStep) run(p *program) error {
	s.x, s.w, s.dst = p.slots[s.in[0]].f32, p.slots[s.in[1]].f32, p.slots[s.y].f32
	for at := 0; at < len(s.repeated); at += s.task.n {
		copy(s.repeated[at:], [2][]float32{s.x, s.w}[s.same][:s.task.n])
	}
	p.parallel.Run(&s.task)
	return nil
}

func (s *broadcastStep) rows(lo, hi int) {
	k, n := len(s.shape)-1, s.task.n
	la, lb := s.strides[0][k], s.strides[1][k]
	for r := lo; r < hi; r++ {
		y := s.dst[r*n : (r+1)*n]
		i, j := int(s.at[0][r]), int(s.at[1][r])
		switch {
		case la == 1 && lb == 1:
			s.f(y, s.x[i:i+n], s.w[j:j+n])
		case la == 1 && lb == 0:
			scalarOp(s.typ, false, y, s.x[i:i+n], s.w[j])
		case la == 0 && lb == 1:
			scalarOp(s.typ, true, y, s.w[j:j+n], s.x[i])
		default:
			for e := range y {
				a, b := s.x[i+e*la:][:1], s.w[j+e*lb:][:1]
				s.f(y[e:e+1], a, b)
			}
		}
		if s.act.Kind != kernel.ActNone {
			s.act.Apply(y, y)
		}
	}
}

// scalarOp computes dst = op(src, v), or op(v, src) when swapped.
func scalarOp(typ string, swapped bool, dst, src []float32, v float32) {
	switch {
	case typ == "Add":
		kernel.AddScalar(dst, src, v)
	case typ == "Mul":
		kernel.MulScalar(dst, src, v)
	case typ == "Sub" && !swapped:
		kernel.AddScalar(dst, src, -v)
	case typ == "Div" && !swapped:
		kernel.DivScalar(dst, src, v)
	case typ == "Sub":
		for i, x := range src {
			dst[i] = v - x
		}
	case typ == "Div":
		for i, x := range src {
			dst[i] = v / x
		}
	case typ == "Max":
		for i, x := range src {
			dst[i] = max(x, v)
		}
	default:
		for i, x := range src {
			dst[i] = min(x, v)
		}
	}
}
