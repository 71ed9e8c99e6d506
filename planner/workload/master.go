package workload

import "math"

// master is the linear program of covering every block once by sets: minimise the number of accelerator sets used, with at most l CPU
// sets. Columns come one at a time; the basis inverse is kept dense. Each block starts with an artificial set of its own at the
// price of a whole accelerator, which can only lower the value.
type master struct {
	n       int // blocks; row n is the CPUs'
	inverse [][]float64
	basis   []column
	value   []float64 // of basic variables
	dual    []float64
}

// column is a set of blocks.
type column struct {
	blocks []int
	cost   float64
	cpu    bool
}

func newMaster(n, cpus int) *master {
	m := &master{n: n, dual: make([]float64, n+1)}
	for b := range n + 1 {
		row := make([]float64, n+1)
		row[b] = 1
		m.inverse = append(m.inverse, row)
		c := column{blocks: []int{b}, cost: 1}
		v := 1.0
		if b == n {
			c, v = column{}, float64(cpus)
		}
		m.basis = append(m.basis, c)
		m.value = append(m.value, v)
	}
	m.prices()
	return m
}

// prices are the duals of the basis.
func (m *master) prices() {
	for j := range m.dual {
		m.dual[j] = 0
	}
	for i, c := range m.basis {
		if c.cost != 0 {
			for j, v := range m.inverse[i] {
				m.dual[j] += c.cost * v
			}
		}
	}
}

// enter brings a column into the basis and reports whether the program changed.
func (m *master) enter(c column) bool {
	d := make([]float64, m.n+1)
	for i := range d {
		row := m.inverse[i]
		for _, b := range c.blocks {
			d[i] += row[b]
		}
		if c.cpu {
			d[i] += row[m.n]
		}
	}
	out, least := -1, math.Inf(1)
	for i, v := range d {
		if v > 1e-9 {
			if t := m.value[i] / v; t < least-1e-12 || (t < least+1e-12 && out >= 0 && v > d[out]) {
				out, least = i, min(t, least)
			}
		}
	}
	if out < 0 {
		return false
	}
	least = max(0, m.value[out]/d[out])
	for i := range m.value {
		if i != out {
			m.value[i] = max(0, m.value[i]-least*d[i])
		}
	}
	m.value[out] = least
	pivot := m.inverse[out]
	for j := range pivot {
		pivot[j] /= d[out]
	}
	for i, row := range m.inverse {
		if i == out || d[i] == 0 {
			continue
		}
		f := d[i]
		for j, v := range pivot {
			row[j] -= f * v
		}
	}
	m.basis[out] = c
	m.prices()
	return true
}
