package client

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
