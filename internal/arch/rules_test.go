package arch

import "strings"

// rule says what a room may import from this module. The longest room that fits a folder counts.
type rule struct {
	room string
	may  []string
}

// pure are the rooms of the first law: no I/O, no clock, no goroutine. The planner may read the clock for its deadline
// and its Elapsed, and nothing else.
var pure = []string{"planner", "node/session", "node/control"}

// rules is the picture of docs/architecture.md, from the bottom up.
var rules = []rule{
	{"internal/arch", nil},
	{"internal/tensor", nil},
	{"internal/onnxpb", nil},
	{"internal/oippb", nil},
	{"internal/kernel", []string{"internal/kernel/..."}},
	{"internal/topology", nil},
	{"internal/feed", nil},
	{"internal/demo", []string{"internal/...", "split/...", "codec/...", "planner/...", "node/client", "sim/..."}},
	{"split", []string{"internal/tensor"}},
	{"split/onnx", []string{"internal/tensor", "internal/onnxpb", "split"}},
	{"split/engine", []string{"internal/tensor", "internal/kernel/...", "split", "split/onnx", "split/engine/..."}},
	{"codec", []string{"internal/tensor", "internal/kernel/...", "codec/..."}},
	{"codec/calibrate", []string{"internal/tensor", "codec/...", "split/..."}},
	{"planner", []string{"split", "planner/..."}},
	{"node/control", []string{"planner/..."}},
	{"node/session", []string{"planner/..."}},
	{"transport", []string{"transport/...", "internal/topology", "internal/feed"}},
	{"node/member", []string{"transport/...", "internal/feed"}},
	{"node", []string{
		"internal/tensor", "internal/kernel/...", "internal/topology", "internal/oippb", "split/...", "codec/...", "planner/...",
		"transport/...", "node/...",
	}},
	{"sim", []string{"internal/topology", "internal/tensor", "split", "planner/...", "node/session", "node/control", "sim/..."}},
	{"sim/lab", []string{"internal/...", "planner/...", "node/client", "sim/..."}},
	{"cmd", []string{
		"internal/...", "split/...", "codec/...", "planner/...", "transport/...", "node/...", "sim/...", "cmd/...",
	}},
	{"scripts", []string{"internal/...", "split/...", "codec/...", "planner/...", "transport/...", "node/...", "sim/..."}},
}

// ruleFor is the rule of the longest room that is the folder or holds it.
func ruleFor(folder string) (rule, bool) {
	var best rule
	found := false
	for _, r := range rules {
		if (folder == r.room || strings.HasPrefix(folder, r.room+"/")) && len(r.room) >= len(best.room) {
			best, found = r, true
		}
	}
	return best, found
}
