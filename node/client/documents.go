package client

import (
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// Node is a machine of the mesh as the answering node sees it.
type Node struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// State is "alive", "suspect", "dead" or "left".
	State string   `json:"state"`
	Self  bool     `json:"self,omitempty"`
	Role  string   `json:"role,omitempty"`
	Addrs []string `json:"addrs,omitempty"`
	// PID is the daemon's process id; 0 when the node has not said so yet.
	PID int `json:"pid,omitempty"`
	// Version is Cleave's, Platform for example "linux/amd64".
	Version  string `json:"version,omitempty"`
	Platform string `json:"platform,omitempty"`
	// API is where the node's own HTTP interface listens.
	API      string   `json:"api,omitempty"`
	Backends []string `json:"backends,omitempty"`
	// Speed is the emulated speed relative to the real machine; 1 when the node is not slowed.
	Speed  float64 `json:"speed,omitempty"`
	Cores  int     `json:"cores,omitempty"`
	Memory int64   `json:"memory,omitempty"`
	// Load is the share of the node that is busy, in [0, 1).
	Load float64 `json:"load"`
	// Holds are the digests of the models that the node stores, Profiled those whose speed it has measured.
	Holds    []string `json:"holds,omitempty"`
	Profiled []string `json:"profiled,omitempty"`
}

// Link is one directed way with its emulated (configured) figures; nil pointers say "not limited".
type Link struct {
	From     string  `json:"from"`
	To       string  `json:"to"`
	Mbps     float64 `json:"mbps,omitempty"`
	DelayMS  float64 `json:"delay_ms,omitempty"` // one way
	JitterMS float64 `json:"jitter_ms,omitempty"`
	Loss     float64 `json:"loss,omitempty"` // share of packets
	// QueueBytes is what may wait at the bottleneck; 0 means a default for the rate and delay.
	QueueBytes int `json:"queue_bytes,omitempty"`
	// Down stops every packet.
	Down bool `json:"down,omitempty"`
}

// Path is the directed way between two nodes as it was measured, beside what is configured when the link is emulated.
type Path struct {
	From string `json:"from"`
	To   string `json:"to"`
	// RTTMS, Mbps and Loss are measured; 0 Mbps means that no goodput is known yet.
	RTTMS float64 `json:"rtt_ms"`
	Mbps  float64 `json:"mbps"`
	Loss  float64 `json:"loss"`
	// AgeMS is how old the goodput is; Confidence is in [0, 1].
	AgeMS      float64 `json:"age_ms"`
	Confidence float64 `json:"confidence"`
	// Relayed says that packets go through a relay, for want of a direct way.
	Relayed    bool  `json:"relayed,omitempty"`
	Configured *Link `json:"configured,omitempty"`
}

// Nodes answers GET /cleave/v1/nodes.
type Nodes struct {
	Nodes []Node `json:"nodes"`
	// Epoch changes with the set of living nodes.
	Epoch uint64 `json:"epoch"`
}

// Paths answers GET /cleave/v1/paths.
type Paths struct {
	Paths []Path `json:"paths"`
}

// Model is a model that the mesh knows.
type Model struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	// Image says how a picture input maps to pixels, see PushOptions.
	Image   string     `json:"image,omitempty"`
	Inputs  []Port     `json:"inputs,omitempty"`
	Outputs []Port     `json:"outputs,omitempty"`
	Nodes   []ModelAt  `json:"nodes"`
	Graph   *GraphInfo `json:"graph,omitempty"`
	// Calibration is what the mesh has of cleave calibrate for the model, or nil.
	Calibration *Calibration `json:"calibration,omitempty"`
}

// Calibration describes a model's calibration file. Beside the digest it is known where the node has read the file.
type Calibration struct {
	// Digest is the file's SHA-256, Graph the canonical graph that it was measured on.
	Digest string `json:"digest"`
	Graph  string `json:"graph,omitempty"`
	Task   string `json:"task,omitempty"`
	// Judged counts the samples that its figures are over.
	Judged int `json:"judged_samples,omitempty"`
	Values int `json:"values,omitempty"`
	Tables int `json:"tables,omitempty"`
}

// Port is an input or output; -1 in Shape is a size that varies.
type Port struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
}

// GraphInfo describes a model's canonical graph for its declared shapes.
type GraphInfo struct {
	Digest string `json:"digest"`
	Groups int    `json:"groups"`
	FLOPs  int64  `json:"flops"`
}

// ModelAt is a model's state on one node.
type ModelAt struct {
	Node  string `json:"node"`
	Holds bool   `json:"holds"`
	// Profiles are the whole-model times that the node has measured, one for each backend.
	Profiles []ModelProfile `json:"profiles,omitempty"`
	// Error says why the node cannot run the model, "" when it can.
	Error string `json:"error,omitempty"`
}

// ModelProfile is how long a node takes for the whole model.
type ModelProfile struct {
	Backend string  `json:"backend"`
	MS      float64 `json:"ms"`
	Groups  int     `json:"groups"`
}

// Models answers GET /cleave/v1/models.
type Models struct {
	Models []Model `json:"models"`
}

// Report is the account of one inference.
type Report struct {
	Session string `json:"session"`
	// Plan is the plan that the request began with, LastPlan the one that it ended with.
	Plan     string  `json:"plan"`
	LastPlan string  `json:"last_plan"`
	Strategy string  `json:"strategy,omitempty"`
	TotalMS  float64 `json:"total_ms"`
	// PredictedMS is what the first plan promised: for the exit that answered, where one did.
	PredictedMS float64 `json:"predicted_ms"`
	// Exit is the early exit that answered; "" for the model's end.
	Exit string `json:"exit,omitempty"`
	// Bytes is the payload that went over links, retries included.
	Bytes     int64        `json:"bytes"`
	Replans   int          `json:"replans"`
	Replanned bool         `json:"replanned"`
	Events    []string     `json:"events,omitempty"`
	Stages    []StageRun   `json:"stages"`
	Transfers []TransferMS `json:"transfers"`
}

// StageRun is a stage that ran. Times count from the start of the request, on the entry node's clock for its own stages
// and as durations for others: MS is exact everywhere, EndMS is when the entry learned of the end.
type StageRun struct {
	Node  string  `json:"node"`
	Stage int     `json:"stage"`
	MS    float64 `json:"ms"`
	EndMS float64 `json:"end_ms"`
}

// TransferMS is a value that travelled. EncodeMS is the sender's, DecodeMS the receiver's, WireMS what lies between the
// first byte written and the last byte read.
type TransferMS struct {
	Value    string  `json:"value"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	Codec    string  `json:"codec"`
	Bytes    int64   `json:"bytes"`
	EncodeMS float64 `json:"encode_ms"`
	WireMS   float64 `json:"wire_ms"`
	DecodeMS float64 `json:"decode_ms"`
}

// Row is a plan's prediction beside what was measured since the node started: GET /cleave/v1/rows.
type Row struct {
	Name        string   `json:"name"` // strategy
	Model       string   `json:"model"`
	Plan        string   `json:"plan"`
	Stages      int      `json:"stages"`
	PredictedMS float64  `json:"predicted_ms"`
	MeasuredMS  float64  `json:"measured_ms"` // median
	P95MS       float64  `json:"p95_ms"`
	Runs        int      `json:"runs"`
	Bytes       int64    `json:"bytes"` // mean per run
	Path        []string `json:"path"`  // node of each stage
}

// Rows answers GET /cleave/v1/rows.
type Rows struct {
	Rows []Row `json:"rows"`
}

// Session is an inference under way, or one that ended lately.
type Session struct {
	ID      string    `json:"id"`
	Model   string    `json:"model"`
	Plan    string    `json:"plan"`
	Role    string    `json:"role"`  // "entry" or "stage"
	State   string    `json:"state"` // "running", "done", "failed"
	Since   time.Time `json:"since"`
	Replans int       `json:"replans"`
	Error   string    `json:"error,omitempty"`
}

// Sessions answers GET /cleave/v1/sessions.
type Sessions struct {
	Sessions []Session `json:"sessions"`
}

// TokenRequest asks for a join token: POST /cleave/v1/tokens.
type TokenRequest struct {
	// ValidSeconds is how long it may be used; 0 means a day. Uses is how often; 0 means once.
	ValidSeconds int `json:"valid_seconds,omitempty"`
	Uses         int `json:"uses,omitempty"`
	// Role is "member", "client" or "authority"; "" means member.
	Role string `json:"role,omitempty"`
}

// Rotation is a change of the mesh's authority key.
type Rotation struct {
	Number int       `json:"number"` // 1 for the first change
	Key    string    `json:"key"`    // the new public key, hex
	OldEnd time.Time `json:"old_end"`
}

// Token is a join token.
type Token struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Role    string    `json:"role"`
}

// Solution is a plan in the planner's terms.
type Solution struct {
	// Problem holds the nodes, the paths, and the model's pieces and values with every measurement that the planner saw.
	Problem *planner.Problem `json:"problem"`
	// Plan is in the ids of Problem; of its proof, only the solver's name is there.
	Plan *planner.Plan `json:"plan"`
}
