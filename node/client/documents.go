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
	Configured *Link   `json:"configured,omitempty"`
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

// Strategies that a PlanRequest may fix.
const (
	// Best is the cheapest plan of all. It is the default.
	Best = "best"
	// BestInputsStay is the cheapest plan in which no input, in any coding, leaves the entry node.
	BestInputsStay = "best-inputs-stay"
	// DeviceOnly runs everything on the entry node.
	DeviceOnly = "device-only"
	// CloudOnlyRaw runs everything on the fastest other node and sends the inputs uncompressed.
	CloudOnlyRaw = "cloud-only-raw"
	// CloudOnlyJPEG is CloudOnlyRaw with the picture sent as JPEG.
	CloudOnlyJPEG = "cloud-only-jpeg"
)

// Strategies lists what PlanRequest.Strategy takes.
func Strategies() []string {
	return []string{Best, BestInputsStay, DeviceOnly, CloudOnlyRaw, CloudOnlyJPEG}
}

// PlanRequest asks for a plan: POST /cleave/v1/plans.
type PlanRequest struct {
	Model string `json:"model"`
	// Strategy is one of Strategies; "" means Best.
	Strategy string `json:"strategy,omitempty"`
	// Objective is "latency", "throughput", "energy" or "price"; "" means latency.
	Objective string `json:"objective,omitempty"`
	// Planner names a registered planner; "" means the default one.
	Planner string `json:"planner,omitempty"`
	// Lossless forbids codecs that change values.
	Lossless bool `json:"lossless,omitempty"`
	// MaxStages limits the number of stages; 0 means no limit.
	MaxStages int `json:"max_stages,omitempty"`
	// MaxLoss limits the sum of the codecs' relative errors: of the model's outputs where the model is calibrated, of the values
	// that travel where it is not. 0 means the node's default, a negative one no limit.
	MaxLoss float64 `json:"max_loss,omitempty"`
	// Agreement, in (0, 1], is the least share of answers that must stay by the model's calibration; it takes MaxLoss's place, and
	// codecs that are not calibrated must be lossless then. 0 means the node's default.
	Agreement float64 `json:"agreement,omitempty"`
	// Shapes binds inputs whose shape varies.
	Shapes map[string][]int `json:"shapes,omitempty"`
	// Via lists nodes (names or ids) that must each run a stage; it serves tests and demonstrations.
	Via []string `json:"via,omitempty"`
	// Splits is SplitsAuto to divide blocks of ops over nodes where that is faster; "" and SplitsOff never do.
	Splits string `json:"splits,omitempty"`
	// Exits is ExitsOff to run the model to its end; "" and ExitsAuto let requests leave at the early exits that the model declares,
	// where the plan uses them: for the least expected latency, unless the request fixes a strategy, planner, nodes or divisions. A
	// request that allows no loss leaves only at exits that lose nothing.
	Exits string `json:"exits,omitempty"`
	// Divisions are blocks to divide, whether that is faster or not; it serves tests and demonstrations.
	Divisions []Division `json:"divisions,omitempty"`
	// Install compiles the plan on every participant before the answer; infer does it otherwise at the first request.
	Install bool `json:"install,omitempty"`
}

// Values of PlanRequest.Splits.
const (
	SplitsAuto = "auto"
	SplitsOff  = "off"
)

// Values of PlanRequest.Exits.
const (
	ExitsAuto = "auto"
	ExitsOff  = "off"
)

// Division is a block of a model's groups, from First to Last by name, that is computed in parts.
type Division struct {
	First string `json:"first"`
	Last  string `json:"last"`
	// Axis is that of the block's result along which it is divided, Parts are the sizes of the parts.
	Axis  int   `json:"axis"`
	Parts []int `json:"parts"`
	// Nodes, in a request, names the node of each part; empty leaves that to the planner.
	Nodes []string `json:"nodes,omitempty"`
}

// Plan is a plan in force.
type Plan struct {
	// ID is the SHA-256 of the plan's content: equal plans have equal ids.
	ID        string  `json:"id"`
	Model     string  `json:"model"`
	Digest    string  `json:"digest"`
	Strategy  string  `json:"strategy"`
	Objective string  `json:"objective"`
	Planner   string  `json:"planner"`
	Entry     string  `json:"entry"`
	Stages    []Stage `json:"stages"`
	// Divisions are the blocks of ops that are divided over nodes.
	Divisions []Division `json:"divisions,omitempty"`
	// Transfers are the values that travel, in order.
	Transfers []Transfer `json:"transfers"`
	// Answers are when the plan answers: at each early exit that it uses, and at the end; empty where it uses none.
	Answers []Answer `json:"answers,omitempty"`
	// Predicted figures: the whole request (with early exits its mean), its bytes on all links, and what the codecs may cost in relative error, or in the share
	// of answers that change where the request demands an agreement.
	PredictedMS float64 `json:"predicted_ms"`
	Bytes       int64   `json:"bytes"`
	Loss        float64 `json:"loss"`
	Lossless    bool    `json:"lossless"`
	Proof       Proof   `json:"proof"`
	Installed   bool    `json:"installed"`
	// Picture is the plan drawn for a terminal.
	Picture string `json:"picture,omitempty"`
	// SVG is the plan as a drawing; only in answers to a request for one plan with ?svg=1.
	SVG string `json:"svg,omitempty"`
}

// Answer is when a plan answers a share of the requests.
type Answer struct {
	// Exit is the output that answers; "" for the model's end.
	Exit  string  `json:"exit,omitempty"`
	Share float64 `json:"share"`
	MS    float64 `json:"ms"`
}

// Stage is what one node executes.
type Stage struct {
	Node    string `json:"node"`
	Backend string `json:"backend"`
	// Groups counts the atomic groups; First and Last name the first and last one.
	Groups  int     `json:"groups"`
	First   string  `json:"first"`
	Last    string  `json:"last"`
	StartMS float64 `json:"start_ms"`
	EndMS   float64 `json:"end_ms"`
}

// Transfer is one value on its way from node to node.
type Transfer struct {
	Value   string  `json:"value"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	DType   string  `json:"dtype"`
	Shape   []int   `json:"shape"`
	Codec   string  `json:"codec"`
	Bytes   int64   `json:"bytes"`
	StartMS float64 `json:"start_ms"`
	EndMS   float64 `json:"end_ms"`
	// Calibrated is what calibration found about this codec on this value; nil where it has not tried it.
	Calibrated *Calibrated `json:"calibrated,omitempty"`
}

// Calibrated is a codec's rate on real inputs and what it does to the model's answer.
type Calibrated struct {
	Bits        float64 `json:"bits_per_element"`
	Error       float64 `json:"error"` // relative, of the value
	OutputError float64 `json:"output_error"`
	// Agreement is the share of Answers that stay, -1 where the task is not known; Flips of Judged samples changed in any part.
	Agreement float64 `json:"agreement"`
	Answers   int     `json:"answers"`
	Flips     int     `json:"flips"`
	Judged    int     `json:"judged_samples"`
}

// Proof says how good a plan is known to be.
type Proof struct {
	Solver    string  `json:"solver"`
	Bound     float64 `json:"bound"`
	Gap       float64 `json:"gap"`
	Optimal   bool    `json:"optimal"`
	ElapsedMS float64 `json:"elapsed_ms"`
	Explored  int     `json:"explored"`
}

// Plans answers GET /cleave/v1/plans.
type Plans struct {
	Plans []Plan `json:"plans"`
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
