package node

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cleave-mesh/cleave/node/client"
)

const (
	// maxSessions is how many ended requests the node remembers, maxSamples how many latencies of each plan.
	maxSessions = 256
	maxSamples  = 512
)

// runTable remembers requests and what plans were measured to take. It is safe for concurrent use.
type runTable struct {
	mu       sync.Mutex
	sessions map[string]*client.Session // guarded by mu; under way
	ended    []client.Session           // guarded by mu; oldest first
	rows     map[string]*planRuns       // guarded by mu; by plan id
}

// planRuns is what was measured of one plan.
type planRuns struct {
	plan    client.Plan
	millis  []float64 // the last maxSamples
	runs    int
	bytes   int64
	updated time.Time
}

func newRunTable() *runTable {
	return &runTable{sessions: map[string]*client.Session{}, rows: map[string]*planRuns{}}
}

func (t *runTable) began(id string, lp *livePlan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sessions[id] = &client.Session{
		ID: id, Model: lp.model.Name, Plan: lp.id, Role: "entry", State: "running", Since: time.Now().UTC(),
	}
}

func (t *runTable) finished(id string, lp *livePlan, r *client.Report, err error) {
	doc := lp.document()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sessions[id]; s != nil {
		delete(t.sessions, id)
		s.State, s.Replans = "done", r.Replans
		if err != nil {
			s.State, s.Error = "failed", err.Error()
		}
		if t.ended = append(t.ended, *s); len(t.ended) > maxSessions {
			t.ended = t.ended[1:]
		}
	}
	if err != nil || r.Replanned {
		return
	}
	row := t.rows[lp.id]
	if row == nil {
		if len(t.rows) >= maxPlans {
			t.forgetOldest()
		}
		row = &planRuns{}
		t.rows[lp.id] = row
	}
	row.plan, row.updated = doc, time.Now()
	row.runs++
	row.bytes += r.Bytes
	if row.millis = append(row.millis, r.TotalMS); len(row.millis) > maxSamples {
		row.millis = row.millis[1:]
	}
}

// forgetOldest drops the row that was not run for longest; t.mu is held.
func (t *runTable) forgetOldest() {
	oldest := ""
	for id, r := range t.rows {
		if oldest == "" || r.updated.Before(t.rows[oldest].updated) {
			oldest = id
		}
	}
	delete(t.rows, oldest)
}

func (t *runTable) sessionDocuments() []client.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.ended)
	for _, s := range t.sessions {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b client.Session) int { return b.Since.Compare(a.Since) })
	return out
}

// active is how many requests are under way.
func (t *runTable) active() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

func (t *runTable) rowDocuments() []client.Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []client.Row{}
	for _, r := range t.rows {
		row := client.Row{
			Name: r.plan.Strategy, Model: r.plan.Model, Plan: r.plan.ID, Stages: len(r.plan.Stages), PredictedMS: r.plan.PredictedMS,
			MeasuredMS: quantile(r.millis, 0.5), P95MS: quantile(r.millis, 0.95), Runs: r.runs, Bytes: r.bytes / int64(r.runs), Path: []string{},
		}
		for _, s := range r.plan.Stages {
			row.Path = append(row.Path, s.Node)
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b client.Row) int { return strings.Compare(a.Model+a.Name+a.Plan, b.Model+b.Name+b.Plan) })
	return out
}

// quantile is the nearest-rank quantile of values that need not be sorted; 0 when there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}
