package kernel

// Compact is packed float32 weights that are kept as bytes: an element is a whole number from -128 to 127 times the scale of
// its column. It lies as Packed does, so that expanding it is one pass. It is read-only once made and can be shared.
type Compact struct {
	form  Packed // without its data
	data  []int8
	scale []float32 // per column, 1 for the columns that pad
}

// NewCompact keeps p, whose elements are whole numbers from -128 to 127, with a scale per column.
func NewCompact(p *Packed, scale []float32) *Compact {
	c := &Compact{form: *p, data: make([]int8, len(p.data)), scale: alignedFloats(ceilDiv(p.N, p.panel) * p.panel)}
	c.form.data = nil
	for i, v := range p.data {
		c.data[i] = int8(v)
	}
	for i := range c.scale {
		c.scale[i] = 1
	}
	copy(c.scale, scale[:p.N])
	return c
}

// Bytes is the memory that c holds.
func (c *Compact) Bytes() int64 { return int64(len(c.data)) + 4*int64(len(c.scale)) }

// Size is how many float32 c has when expanded.
func (c *Compact) Size() int { return len(c.data) }

// Over is the expanded matrix in memory of Size elements, which Expand fills.
func (c *Compact) Over(memory []float32) *Packed {
	p := c.form
	p.data = memory[:len(c.data):len(c.data)]
	return &p
}

// CompactConv is a convolution's weights kept as bytes: a Compact per group.
type CompactConv struct {
	form   ConvWeights // without its groups
	groups []*Compact
}

// NewCompactConv keeps w, whose elements are whole numbers from -128 to 127, with a scale per output channel.
func NewCompactConv(w *ConvWeights, scale []float32) *CompactConv {
	c := &CompactConv{form: *w}
	c.form.groups = nil
	for _, p := range w.groups {
		c.groups = append(c.groups, NewCompact(p, scale))
		scale = scale[p.N:]
	}
	return c
}

// Bytes is the memory that c holds.
func (c *CompactConv) Bytes() int64 {
	var n int64
	for _, p := range c.groups {
		n += p.Bytes()
	}
	return n
}

// Size is how many float32 c has when expanded.
func (c *CompactConv) Size() int {
	n := 0
	for _, p := range c.groups {
		n += p.Size()
	}
	return n
}

// Over is the expanded weights in memory of Size elements, which Expand fills.
func (c *CompactConv) Over(memory []float32) *ConvWeights {
	w := c.form
	for _, p := range c.groups {
		w.groups = append(w.groups, p.Over(memory))
		memory = memory[p.Size():]
	}
	return &w
}

// Expand is the task that writes the float32 of compact matrices, one after the other.
type Expand struct {
	From []*Compact
	To   []float32
}

// NewExpand is the task for c.
func (c *CompactConv) NewExpand() Expand { return Expand{From: c.groups} }

// NewExpand is the task for c.
func (c *Compact) NewExpand() Expand { return Expand{From: []*Compact{c}} }

// Units implements pool.Task: one per panel.
func (e *Expand) Units() int {
	n := 0
	for _, c := range e.From {
		n += ceilDiv(c.form.N, c.form.panel)
	}
	return n
}

// Nanos implements pool.Task.
func (e *Expand) Nanos() int {
	n := 0
	for _, c := range e.From {
		n += len(c.data) / 4
	}
	return n
}

// Run implements pool.Task.
func (e *Expand) Run(lo, hi int) {
	to := e.To
	for _, c := range e.From {
		panels := ceilDiv(c.form.N, c.form.panel)
		p := c.form
		p.data = to[:len(c.data)]
		to = to[len(c.data):]
		for u := max(lo, 0); u < min(hi, panels); u++ {
			n0 := u * p.panel
			panel, width := p.panelAt(n0)
			if len(panel) == 0 {
				continue
			}
			src := c.data[n0*p.K:][:len(panel)]
			DequantizeInt8(panel, src, 1, 0)
			scale := c.scale[n0 : n0+width]
			for i := 0; i < len(panel); i += width {
				row := panel[i : i+width]
				Mul(row, row, scale)
			}
		}
		lo, hi = lo-panels, hi-panels
	}
}
