package demo

import (
	"slices"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/sim"
)

// Report is all that the demo found, and what --json prints.
type Report struct {
	Nodes []client.Node `json:"nodes"`
	// Paths are the directed ways between the nodes, what was configured beside what was measured.
	Paths []client.Path `json:"paths"`
	Model Model         `json:"model"`
	// Rows compare the ways to run the model, all measured in turn in the same run.
	Rows []Row `json:"rows"`
	// Profile is what the nodes measured of the model, for cleave sim --profile.
	Profile *sim.Profile `json:"profile"`
	// Verdict says in a sentence whether splitting wins here.
	Verdict  string   `json:"verdict"`
	Faces    []Face   `json:"faces"`
	Picture  string   `json:"picture"` // the annotated PNG
	Degrade  Degrade  `json:"degrade"`
	Failover Failover `json:"failover"`
	// Seconds is how long the demo took, without building it.
	Seconds float64 `json:"seconds"`
}

// Model is what the demo ran.
type Model struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	FLOPs  int64  `json:"flops"`
	Groups int    `json:"groups"`
}

// Row is one way to run the model.
type Row struct {
	Name        string  `json:"name"`
	PredictedMS float64 `json:"predicted_ms"`
	// MeasuredMS is the median of Runs, LowMS and HighMS their 10th and 90th percentiles.
	MeasuredMS float64 `json:"measured_ms"`
	// SimulatedMS is the median that the simulator gives for the very plan, with the nodes' profiles and the links as configured.
	SimulatedMS float64 `json:"simulated_ms"`
	LowMS       float64 `json:"p10_ms"`
	HighMS      float64 `json:"p90_ms"`
	Runs        int     `json:"runs"`
	// Bytes is what one request sends over all links.
	Bytes  int64 `json:"bytes"`
	Stages int   `json:"stages"`
	// Lossless says that no codec of the plan changes a value; then Equal must be true: the outputs are, bit for bit, those
	// of the whole model run in one process.
	Lossless bool `json:"lossless"`
	Equal    bool `json:"equal"`
	// Error is the largest difference of any output element from the unsplit run, relative to that output's range.
	Error float64 `json:"relative_error"`
	// Faces is how many faces were found; MinIoU is the least overlap of a box with the unsplit run's, 0 when their numbers
	// differ, and Bound the least that the demo accepts.
	Faces  int         `json:"faces"`
	MinIoU float64     `json:"min_iou"`
	Bound  float64     `json:"min_iou_bound"`
	Plan   client.Plan `json:"plan"`
}

// Degrade is the second act: a link gets worse while requests run.
type Degrade struct {
	Link          client.Link `json:"link"`
	Before, After client.Plan `json:"-"`
	PlanBefore    string      `json:"plan_before"`
	PlanAfter     string      `json:"plan_after"`
	Changed       bool        `json:"changed"`
	// ReactionMS is the time from the change of the link to the first request that ran on the new plan.
	ReactionMS float64 `json:"reaction_ms"`
	// Requests counts those between, all of which were answered.
	Requests int `json:"requests"`
	// Median latencies: before, after the link changed but on the old plan, and on the new plan.
	BeforeMS float64 `json:"before_ms"`
	WorseMS  float64 `json:"worse_ms"`
	AfterMS  float64 `json:"after_ms"`
}

// Failover is the third act: a node is killed while it works on a request.
type Failover struct {
	Killed    string   `json:"killed"`
	PID       int      `json:"pid"`
	KilledAt  float64  `json:"killed_at_ms"` // after the request was sent
	TotalMS   float64  `json:"total_ms"`
	UsualMS   float64  `json:"usual_ms"`
	Replans   int      `json:"replans"`
	Completed bool     `json:"completed"`
	Equal     bool     `json:"equal"`
	Error     float64  `json:"relative_error"`
	MinIoU    float64  `json:"min_iou"`
	Events    []string `json:"events,omitempty"`
}

// Face is a detected face; the box is in pixels of the photograph.
type Face struct {
	Score  float64 `json:"score"`
	Left   int     `json:"left"`
	Top    int     `json:"top"`
	Right  int     `json:"right"`
	Bottom int     `json:"bottom"`
}

// quantile is the q-quantile of ms by linear interpolation; 0 for none.
func quantile(ms []float64, q float64) float64 {
	if len(ms) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(ms))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

func median(ms []float64) float64 { return quantile(ms, 0.5) }
