package planner

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Plan is an answer to a Problem.
type Plan struct {
	// Place is the node of each piece.
	Place []NodeID
	// Stages are the pieces grouped by node into convex sets, in an order in which they can run.
	Stages []Stage
	// Transfers are the values that travel, each once per receiving node, in the order they are ready.
	Transfers []Transfer
	Cost      Cost
	// Objective is the cost in the objective's unit, not rounded: seconds, joules or the user's unit of price.
	Objective float64
	Proof     Proof
}

// Stage is a convex set of pieces that one node runs as one.
type Stage struct {
	Node   NodeID
	Pieces []PieceID // ascending
	// Start and End are predicted, from the start of the request.
	Start, End time.Duration
}

// Transfer is one value that goes from one node to another.
type Transfer struct {
	Value    ValueID
	From, To NodeID
	Coding   int // index into Value.Codings
	// Start is when encoding begins, End when decoding is done.
	Start, End time.Duration
}

// Cost is what a plan is predicted to take. Every field is filled in, whatever the objective.
type Cost struct {
	Latency time.Duration
	Period  time.Duration
	Energy  float64 // joules
	Price   float64
	Loss    float64
	Bytes   int64   // sent over all paths
	Memory  []int64 // peak bytes per node
}

// Proof says how good the plan is known to be.
type Proof struct {
	Solver string
	// Claim says in a sentence what the solver proves, and under which assumption.
	Claim string
	// Bound is a proven lower bound on the objective of any feasible plan, in the objective's unit (seconds, joules, ...). A solver
	// that plans one form only means plans of that form; Form then says so.
	Bound float64
	// Form is what kind of plans Bound is about, such as pipelines; "" means any.
	Form string
	// Gap is (objective - Bound) / objective; 0 when Optimal.
	Gap     float64
	Optimal bool
	Elapsed time.Duration
	// First is when search first found a plan better than those that need none; 0 when it never did, or does not say.
	First time.Duration
	// Explored counts the solver's own steps: states, cuts or branches.
	Explored int
}

// Planner finds plans. It is safe for concurrent use. When ctx ends, an any-time planner returns the best plan so far with
// its bound, and no error.
type Planner interface {
	// Name is what --planner takes.
	Name() string
	// Plan blocks until it is done or ctx ends. It fails with an *InfeasibleError when no plan meets the limits.
	Plan(ctx context.Context, p *Problem) (*Plan, error)
}

// ErrInvalid is wrapped when a Problem contradicts itself; the error names the piece, value, node or path.
var ErrInvalid = errors.New("invalid problem")

// ErrUnsuited is wrapped when a problem is not of the form that a planner plans; the error says what it is not.
var ErrUnsuited = errors.New("unsuited planner")

// InfeasibleError names the constraint that no plan can meet.
type InfeasibleError struct {
	Constraint string  // for example "memory of node camera"
	Need, Have float64 // in Unit
	Unit       string  // "" where nothing is counted: Constraint is the whole reason
}

func (e *InfeasibleError) Error() string {
	if e.Unit == "" {
		return "no plan is possible: " + e.Constraint
	}
	text := func(v float64) string { return fmt.Sprintf("%.4g %s", v, e.Unit) }
	if e.Unit == "bytes" {
		text = func(v float64) string { return bytesText(int64(v)) }
	}
	need, have := text(e.Need), text(e.Have)
	if need == have { // they differ by less than that shows
		need, have = fmt.Sprintf("%.12g %s", e.Need, e.Unit), fmt.Sprintf("%.12g %s", e.Have, e.Unit)
	}
	return fmt.Sprintf("no plan is possible: %s needs %s, has %s", e.Constraint, need, have)
}
