package planner

import "time"

// Indices into the slices of a Problem.
type (
	PieceID int
	ValueID int
	NodeID  int
)

// External is the producer of a model input.
const External PieceID = -1

// Problem is one placement problem. Pieces stand in topological order. Validate names the first thing wrong with it.
type Problem struct {
	Model  string
	Pieces []Piece
	Values []Value
	Nodes  []Node
	// Paths[a][b] is the directed way from node a to node b; the diagonal is ignored.
	Paths [][]Path
	// Source is where the inputs are, Sink where the outputs are wanted.
	Source, Sink NodeID
	Objective    Objective
	Limits       Limits
}

// Piece is the smallest part of a model that a plan places: an atomic group of ops.
type Piece struct {
	Name string
	// Time is the seconds of compute per node, under the node's best backend; +Inf where the node cannot run it.
	Time []float64
	// Backend names the backend per node that Time is for; nil when nodes have only one.
	Backend []string
	// Weights is bytes of constants; Work is bytes of activations while it runs.
	Weights, Work int64
	// In and Out are the values it reads and defines, each once.
	In, Out []ValueID
	// Class, when not 0, forces all pieces of the same class onto one node.
	Class int
	// Pin, when not nil, lists the only nodes that may run the piece.
	Pin []NodeID
	// Level is how many exits in use come before everything that needs the piece. Stages hold pieces of one level alone, so that an exit
	// is there before what follows it runs. PlanExits sets it; it is 0 in models without exits.
	Level int
}

// Value is a tensor that one piece (or the request) makes and others (or the answer) need.
type Value struct {
	Name     string
	Producer PieceID // External for a model input
	// Consumers are the pieces that read it, ascending, each once.
	Consumers []PieceID
	// At lists the nodes that already hold an External value; nil means the Source alone. A session that resumes after a
	// failure plans its remaining pieces with the kept boundary values as External ones, each where it is kept.
	At []NodeID
	// Output marks a model output: it must reach the Sink.
	Output bool
	// Exit, on an Output that may answer a request alone, is the share of requests that it or an exit before it answers, in (0, 1).
	// 0 means that it is no exit. PlanExits sets it.
	Exit float64
	// Codings are the ways it may travel; at least one unless it never leaves its node.
	Codings []Coding
	// Stay, when not nil, lists the only nodes where the value may ever be (privacy: the picture stays in the camera).
	Stay []NodeID
}

// Coding is one way to carry one value.
type Coding struct {
	// Codec is the codec's spec string; planners do not interpret it.
	Codec string
	Bytes int64
	// Encode and Decode are seconds on a node of Speed 1; a node takes them divided by its Speed.
	Encode, Decode float64
	// Loss is the accuracy cost in the units of Limits.Loss; losses of a plan's transfers add.
	Loss float64
}

// Node is a machine of the mesh as the planner sees it.
type Node struct {
	Name string
	// Speed scales codec times: 1 is the machine they were measured on. 0 means 1.
	Speed float64
	// Memory is bytes available to stages; 0 means no limit.
	Memory int64
	// Load is the fraction of the node that other work keeps busy, in [0, 1): its times are divided by 1-Load.
	Load float64
	// Power is watts while computing; 0 means that energy is not counted.
	Power float64
	// Price is cost per second of compute in a unit of the user's.
	Price float64
}

// Path is the directed way between two nodes.
type Path struct {
	// RTT is the round-trip time; a transfer is charged half of it, plus Bytes/Goodput.
	RTT time.Duration
	// Goodput is bytes per second of payload; 0 means that there is no way.
	Goodput float64
	// Jitter is the standard deviation of the one-way delay, Spread that of goodput relative to its mean.
	Jitter time.Duration
	Spread float64
	// Overhead is seconds per transfer beyond delay and bytes: stream set-up, header, scheduling.
	Overhead float64
	// Energy is joules per byte at both ends together.
	Energy float64
}

// Objective is what a plan minimises.
type Objective string

// The objectives.
const (
	Latency    Objective = "latency"    // seconds from request to answer, one request alone
	Throughput Objective = "throughput" // seconds between answers of a saturated stream: the slowest stage or link
	Energy     Objective = "energy"     // joules per request
	Price      Objective = "price"      // cost per request
)

// Limits bound what is not minimised; 0 means no limit.
type Limits struct {
	Latency time.Duration
	Period  time.Duration // between answers of a stream
	Energy  float64       // joules per request
	Price   float64
	Loss    float64 // sum of Coding.Loss over the plan's transfers
	Stages  int     // most stages in a plan
}
