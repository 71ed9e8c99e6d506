package sim

import "time"

// Result is what one run did.
type Result struct {
	Policy string
	// Plan is the first request's plan as text: stages with their nodes.
	Plan string
	// Predicted is what the planner said of the first request; Bytes and Stages are its plan's.
	Predicted time.Duration
	Bytes     int64
	Stages    int
	Joules    float64
	Requests  []Request
	// Switches are the changes of plan and of the mesh, in order of time.
	Switches []Switch
	// Elapsed is virtual time from the first request to the last answer; Events counts what the simulator did.
	Elapsed time.Duration
	Events  int
	// Busy is the share of Elapsed that each node computed, by name.
	Busy map[string]float64
	// Spans are empty unless Config.Trace.
	Spans []Span
}

// Request is one inference.
type Request struct {
	ID      int
	Arrived time.Duration
	// Latency is from arrival to answer or failure.
	Latency time.Duration
	// Failure is "" for a request that was answered.
	Failure string
	// Bytes were sent over all links for it, in Epochs plans.
	Bytes  int64
	Epochs int
	Plan   string
	// Exit is the early exit that answered; "" for the model's end.
	Exit string
}

// Switch is a change that people want to see beside the requests.
type Switch struct {
	At   time.Duration
	What string
}

// Span is something that took time on a machine or a path.
type Span struct {
	// Track is the machine or path, such as "edge" or "device to edge".
	Track   string
	Name    string
	Request int
	Start   time.Duration
	End     time.Duration
}
