package sim

import (
	"context"
	"time"

	"github.com/cleave-mesh/cleave/internal/topology"
)

// noticed is the ratio between a link's rate and what the entry believes from which the entry takes it for a change, and
// not for noise; a node's own path estimates jump at the same.
const noticed = 1.3

// follow lets a link's rate go with its trace, and lets the entry notice: a change that is large enough and lasts for
// Config.Observe becomes what the entry believes.
func (m *mesh) follow(ctx context.Context, l topology.Link) {
	var step func()
	var pending *alarm
	step = func() {
		rate, until := l.Rates.At(m.clock.now)
		m.net.change(func() {
			for _, w := range m.atlas.links[l.Name] {
				if w != nil {
					w.setRate(rate)
				}
			}
		})
		switch {
		case !m.differs(l.Name):
			m.clock.cancel(pending)
			pending = nil
		case pending == nil:
			pending = m.clock.after(m.cfg.Observe, func() {
				pending = nil
				for i, w := range m.belief.links[l.Name] {
					if w != nil {
						w.rate = m.atlas.links[l.Name][i].rate
					}
				}
				m.review(ctx)
			})
		}
		m.clock.at(max(until, m.clock.now+time.Nanosecond), step)
	}
	m.clock.at(0, step)
}

// differs reports whether a link is noticeably better or worse than the entry believes.
func (m *mesh) differs(link string) bool {
	real, believed := m.atlas.links[link][0].rate, m.belief.links[link][0].rate
	return real > believed*noticed || real < believed/noticed
}
