package control

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Config sets how eager the machine is.
type Config struct {
	// Gain is the least relative improvement worth a switch; 0 means 0.1.
	Gain float64
	// Confirm is how many looks in a row must agree on the same alternative; 0 means 2.
	Confirm int
	// Dwell is the least time between two switches; 0 means 5 s.
	Dwell time.Duration
	// Quantile of latency that is compared, in [0.5, 1); 0 means 0.9.
	Quantile float64
	// Horizon is the time within which a switch must earn back what it costs; 0 means a minute.
	Horizon time.Duration
	// Stale is the age at which an unused path's estimate is refreshed; 0 means 30 s.
	Stale time.Duration
	// ProbeEvery is the least time between two explorations; 0 means 5 s.
	ProbeEvery time.Duration
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if c.Gain == 0 {
		c.Gain = 0.1
	}
	if c.Confirm == 0 {
		c.Confirm = 2
	}
	if c.Quantile == 0 {
		c.Quantile = 0.9
	}
	def(&c.Dwell, 5*time.Second)
	def(&c.Horizon, time.Minute)
	def(&c.Stale, 30*time.Second)
	def(&c.ProbeEvery, 5*time.Second)
	return c
}

// Candidate is a plan, in force or possible, as it is predicted now.
type Candidate struct {
	ID string
	// Latency is the predicted mean in seconds, Deviation its standard deviation. Latency +Inf means that it cannot run.
	Latency, Deviation float64
	// Move is seconds to bring weights where the plan needs them, Drain seconds that running sessions still take on the old plan.
	Move, Drain float64
}

// Path is a directed path between two nodes, as an alternative to explore.
type Path struct {
	Name string
	// Seen is when it was measured last; Used says that the plan in force sends over it.
	Seen time.Duration
	Used bool
	// Best is the least latency in seconds that a plan over the path could have if the path were as good as its estimate allows
	// (mean less one deviation); 0 when unknown.
	Best float64
}

// View is what the machine sees at one look. It keeps none of the slices.
type View struct {
	Now     time.Duration
	Current Candidate
	Others  []Candidate
	Paths   []Path
	// Rate is requests per second that the plan serves.
	Rate float64
}

// Action says what to do.
type Action string

// The actions.
const (
	Keep   Action = "keep"
	Switch Action = "switch"
)

// Decision is the machine's answer.
type Decision struct {
	Action Action
	// To is the candidate to switch to.
	To string
	// Probe names a path to measure; "" means none. It may come with either action.
	Probe string
	// Reason says why, in a sentence, for logs and transcripts.
	Reason string
}

// Machine is the state between looks. One goroutine owns it. It neither reads a clock nor allocates what it is shown.
type Machine struct {
	config Config

	favourite string // alternative of the last look
	agreed    int    // looks in a row that favoured it
	switched  time.Duration
	ever      bool // a switch has happened
	probed    time.Duration
	probing   bool // a probe has been asked for before
}

// New makes a machine.
func New(c Config) *Machine { return &Machine{config: c.withDefaults()} }

// Look decides what to do about the plan in force.
func (m *Machine) Look(v View) Decision {
	d := m.decide(v)
	d.Probe = m.explore(v)
	return d
}

func (m *Machine) decide(v View) Decision {
	best := -1
	for k := range v.Others {
		if !runs(v.Others[k]) {
			continue
		}
		if best < 0 || m.score(v.Others[k]) < m.score(v.Others[best]) {
			best = k
		}
	}
	if best < 0 {
		m.agreed, m.favourite = 0, ""
		return Decision{Action: Keep, Reason: "there is no alternative"}
	}
	to := v.Others[best]
	if !runs(v.Current) {
		return m.leave(v, to, fmt.Sprintf("%s cannot run", v.Current.ID))
	}
	now, then := m.score(v.Current), m.score(to)
	if gain := 1 - then/now; now <= 0 || gain < m.config.Gain {
		m.agreed, m.favourite = 0, ""
		return Decision{Action: Keep, Reason: fmt.Sprintf("%s promises %s for %s: too little", to.ID, ms(then), ms(now))}
	}
	if m.favourite != to.ID {
		m.favourite, m.agreed = to.ID, 0
	}
	m.agreed++
	switch earned, cost := (now-then)*v.Rate*m.config.Horizon.Seconds(), to.Move+to.Drain; {
	case m.agreed < m.config.Confirm:
		return Decision{Action: Keep, Reason: fmt.Sprintf("%s looks better: look %d of %d", to.ID, m.agreed, m.config.Confirm)}
	case m.ever && v.Now-m.switched < m.config.Dwell:
		return Decision{Action: Keep, Reason: fmt.Sprintf("%s looks better, but the last switch was %v ago", to.ID, v.Now-m.switched)}
	case earned < cost:
		return Decision{Action: Keep, Reason: fmt.Sprintf("%s would save %s within %v and costs %s", to.ID, ms(earned), m.config.Horizon, ms(cost))}
	}
	return m.leave(v, to, fmt.Sprintf("%s for %s", ms(then), ms(now)))
}

func (m *Machine) leave(v View, to Candidate, why string) Decision {
	m.agreed, m.favourite, m.switched, m.ever = 0, "", v.Now, true
	return Decision{Action: Switch, To: to.ID, Reason: why}
}

func runs(c Candidate) bool { return !math.IsInf(c.Latency, 0) && !math.IsNaN(c.Latency) }

// score is the quantile of a candidate's latency, taken as normal.
func (m *Machine) score(c Candidate) float64 {
	return c.Latency + deviations(m.config.Quantile)*max(0, c.Deviation)
}

// deviations is how many standard deviations above the mean a quantile of the normal distribution lies.
func deviations(q float64) float64 { return math.Sqrt2 * math.Erfinv(2*min(max(q, 0.5), 0.9999)-1) }

// explore picks the stale path that is worth a probe: first those over which a better plan than the present one may run, the most
// promising one first, then the one that was seen longest ago. Unused paths are thus sampled for ever, however bad they once were.
func (m *Machine) explore(v View) string {
	if m.probing && v.Now-m.probed < m.config.ProbeEvery {
		return ""
	}
	stale := slices.DeleteFunc(slices.Clone(v.Paths), func(p Path) bool { return p.Used || v.Now-p.Seen < m.config.Stale })
	if len(stale) == 0 {
		return ""
	}
	hope := func(p Path) float64 {
		if p.Best > 0 && p.Best < v.Current.Latency {
			return p.Best
		}
		return math.Inf(1)
	}
	best := stale[0]
	for _, p := range stale[1:] {
		if h, b := hope(p), hope(best); h < b || h == b && p.Seen < best.Seen {
			best = p
		}
	}
	m.probed, m.probing = v.Now, true
	return best.Name
}

func ms(seconds float64) string { return fmt.Sprintf("%.1f ms", 1000*seconds) }
