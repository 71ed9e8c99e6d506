package topology

import "time"

// Topology is a mesh and what happens to it. One that Load or Parse returns is consistent: names are unique, every
// reference resolves, quantities are in range.
type Topology struct {
	// Name is the file's own name for itself; the file's base name when it gives none and was read by Load.
	Name string
	// Dir is the folder that relative file names in the topology refer to; "" for one that Parse read.
	Dir      string
	Nodes    []Node
	Links    []Link
	Workload Workload
	// Events stand in order of time.
	Events []Event
}

// Node is a machine.
type Node struct {
	Name string
	// Tier is a label for people, such as device, edge or cloud; "" when none is given.
	Tier string
	// Speed scales the reference profile: 1 is the machine that was profiled, 0.05 takes twenty times as long.
	Speed float64
	// Profile names the file of the node's own measurements, which then count instead of Speed; "" means none.
	Profile string
	// Memory is available to stages; 0 means no limit.
	Memory Bytes
	// Power is drawn while computing; 0 means that energy is not counted.
	Power Watts
	// Backends are the engines that the node may use; nil means every one it finds.
	Backends []string
	// Absent marks a node that is not part of the mesh until a Join event names it.
	Absent bool
}

// Link is a way between two nodes.
type Link struct {
	// Name is what events call it: "from-to" unless the file gives another.
	Name     string
	From, To string
	// OneWay marks a link that carries nothing from To to From; other links carry both ways, each at the full bandwidth.
	OneWay bool
	// Bandwidth is the bottleneck's rate, headers included; with a Trace it scales nothing and may be 0.
	Bandwidth Rate
	// RTT is the round-trip time of an idle link; each direction takes half of it.
	RTT time.Duration
	// Jitter is the standard deviation of the one-way delay; 0 means none.
	Jitter time.Duration
	// Loss is the share of packets that are lost, in [0, 1).
	Loss float64
	// Queue is the bottleneck's buffer; 0 means one bandwidth-delay product, at least MinQueue.
	Queue Bytes
	// Trace names a file of bandwidth over time, relative to Topology.Dir; "" means that Bandwidth holds throughout.
	Trace string
	// TraceScale multiplies the trace's rates; 1 unless the file says otherwise.
	TraceScale float64
	// Rates is what the Trace file holds, scaled; nil without a trace, and in a topology that Parse read.
	Rates *Trace
}

// MinQueue is the least buffer that a link without a stated queue has: ten packets of 1,500 bytes.
const MinQueue Bytes = 15_000

// Workload is what the mesh is asked to do.
type Workload struct {
	// Model is the model's name in the mesh.
	Model string
	// Profile names the file of reference measurements that Node.Speed scales, relative to Topology.Dir; "" means that
	// whoever runs the topology measures them.
	Profile string
	// Source is the node where the inputs are and where the outputs are wanted.
	Source   string
	Arrivals Arrivals
	// Deadline is the time a request has from its arrival; 0 means DefaultDeadline.
	Deadline time.Duration
	// Requests is how many there are.
	Requests int
	// Objective is latency, throughput, energy or price.
	Objective string
	// Rule restricts plans.
	Rule Rule
}

// DefaultDeadline is the time that a request has when the workload states none.
const DefaultDeadline = 30 * time.Second

// Rule restricts where values may go.
type Rule string

// The rules.
const (
	NoRule Rule = ""
	// InputStays keeps the model's inputs on the source: the picture never leaves the camera.
	InputStays Rule = "input-stays"
)

// Arrivals says when requests come.
type Arrivals struct {
	Pattern Pattern
	// Rate is requests per second of a Periodic or Poisson pattern; 0 for Sequential.
	Rate float64
}

// Pattern is a kind of arrival process.
type Pattern string

// The patterns.
const (
	Sequential Pattern = "sequential" // the next request comes when the last is answered
	Periodic   Pattern = "periodic"
	Poisson    Pattern = "poisson"
)

// Event is something that happens to the mesh.
type Event struct {
	// Time is counted from the first request.
	Time time.Duration
	Kind EventKind
	// Node is the machine of every kind but Degrade; "" there.
	Node string
	// Link is the link's name for Degrade; "" for other kinds.
	Link string
	// Bandwidth, RTT and Loss are the link's new values for Degrade; nil leaves a value as it is.
	Bandwidth *Rate
	RTT       *time.Duration
	Loss      *float64
}

// EventKind is a kind of event.
type EventKind string

// The kinds of event.
const (
	Kill    EventKind = "kill"    // the process dies and loses its memory
	Stop    EventKind = "stop"    // the process freezes, as by SIGSTOP
	Cont    EventKind = "cont"    // a frozen process goes on, as by SIGCONT
	Degrade EventKind = "degrade" // a link changes, for better or worse
	Join    EventKind = "join"    // a node that was absent or killed becomes part of the mesh
)

// Node returns the node of that name.
func (t *Topology) Node(name string) (Node, bool) {
	for _, n := range t.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// Between returns the link that carries traffic from node a to node b.
func (t *Topology) Between(a, b string) (Link, bool) {
	for _, l := range t.Links {
		if l.From == a && l.To == b || !l.OneWay && l.From == b && l.To == a {
			return l, true
		}
	}
	return Link{}, false
}
