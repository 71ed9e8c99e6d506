package planner

import "math"

// Deviation is the standard deviation of a plan's latency in seconds, from the jitter and spread of the paths it uses: each transfer's
// delay and wire time vary on their own. Transfers that overlap are counted as if they followed each other, which overstates.
func Deviation(p *Problem, plan *Plan) float64 {
	sum := 0.0
	for _, t := range plan.Transfers {
		w := p.Paths[t.From][t.To]
		wire := float64(p.Values[t.Value].Codings[t.Coding].Bytes) / w.Goodput * w.Spread
		sum += math.Pow(w.Jitter.Seconds(), 2) + wire*wire
	}
	return math.Sqrt(sum)
}

// Cautious is the problem with every path as bad as its given quantile: goodput lower and delay longer by so many deviations. Its
// optimum is the plan with the best latency among paths that turn out that badly, a bound on the quantile of its latency when the
// paths vary together. quantile is in [0.5, 1).
func Cautious(p *Problem, quantile float64) *Problem {
	z := math.Sqrt2 * math.Erfinv(2*min(max(quantile, 0.5), 0.9999)-1)
	c := *p
	c.Paths = make([][]Path, len(p.Paths))
	for a := range p.Paths {
		c.Paths[a] = append([]Path(nil), p.Paths[a]...)
		for b := range c.Paths[a] {
			w := &c.Paths[a][b]
			// A goodput of 0 would mean no way at all; a tenth of the mean is as bad as a path that works is taken to be.
			w.Goodput *= max(0.1, 1-z*w.Spread)
			w.Overhead += z * w.Jitter.Seconds()
		}
	}
	return &c
}
