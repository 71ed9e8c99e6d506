package split

import "slices"

// rewriteBodies runs the passes over the bodies of If, Loop and Scan ops. A branch that the known shapes never take, because they do not
// fit it, stays as it is.
func (c *canonicalizer) rewriteBodies() error {
	if err := c.infer(); err != nil {
		return err
	}
	for i := range c.g.Ops {
		o := &c.g.Ops[i]
		any := false
		o.Subgraphs(func(string, *Graph) { any = true })
		if !any {
			continue
		}
		o.Attrs = cloneAttrs(o.Attrs, c.rewriteBody)
		c.setCaptures(o)
	}
	return nil
}

// rewriteBody is body after all passes, or body itself when they fail.
func (c *canonicalizer) rewriteBody(body *Graph) *Graph {
	b := &canonicalizer{g: body.clone(), eval: c.eval, folded: c.folded}
	if err := b.rewrite(); err != nil {
		return body
	}
	c.folded = b.folded
	outputs := b.g.outputSet()
	b.g.Captured = slices.DeleteFunc(slices.Clone(b.g.Captured), func(v ValueID) bool {
		return len(b.g.Values[v].Consumers) == 0 && !outputs[v]
	})
	b.dropUnused()
	if err := b.g.link(); err != nil {
		return body
	}
	return b.g
}

// setCaptures makes o capture what its subgraphs still read, in the order in which it did.
func (c *canonicalizer) setCaptures(o *Op) {
	read := map[string]bool{}
	o.Subgraphs(func(_ string, g *Graph) {
		for _, v := range g.Captured {
			read[g.Values[v].Name] = true
		}
	})
	o.Captures = slices.DeleteFunc(slices.Clone(o.Captures), func(v ValueID) bool { return !read[c.g.Values[v].Name] })
}
