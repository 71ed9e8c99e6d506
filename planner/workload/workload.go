// Package workload reads the device-placement problems of Tarnawski et al., "Efficient Algorithms for Device Placement of DNN
// Graph Operators" (NeurIPS 2020), and solves them: contiguous throughput exactly by dynamic programming over downsets,
// non-contiguous throughput and latency by search with proven bounds.
//
// The cost semantics differ from those of package planner: devices are k like accelerators and some CPUs, a transfer goes through
// host memory and occupies the accelerators at its ends, and CPUs pay nothing for it.
package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Limits on what Parse accepts.
const (
	MaxOps     = 1 << 16
	MaxEdges   = 1 << 20
	MaxDevices = 64
)

var (
	// ErrInvalid is wrapped when a workload contradicts itself; the error names the op or the edge.
	ErrInvalid = errors.New("invalid workload")
	// ErrTraining is returned for workloads with backward ops: their semantics tie a backward op to its forward one.
	ErrTraining = errors.New("workload has backward ops (training); only inference is planned")
	// ErrInfeasible is wrapped when no placement fits; the error names the constraint.
	ErrInfeasible = errors.New("no placement is possible")
)

// Workload is one problem. Ops stand in topological order.
type Workload struct {
	Ops          []Op
	Accelerators int
	CPUs         int
	// Memory is bytes per accelerator.
	Memory float64
}

// Op is one operator or layer. Times share one unit with costs.
type Op struct {
	ID   int
	Name string
	// CPU and Accelerator are times; Accelerator is +Inf where the op is not supported there.
	CPU, Accelerator float64
	// Size is bytes on an accelerator.
	Size float64
	// Cost is the time to move the op's output between an accelerator and host memory.
	Cost  float64
	Class int // ops of one class share a device; 0 is a class of its own
	// Preds and Succs are indices into Ops, ascending, each once.
	Preds, Succs []int
}

type file struct {
	MaxSizePerFPGA *float64   `json:"maxSizePerFPGA"`
	MaxFPGAs       *int       `json:"maxFPGAs"`
	MaxCPUs        *int       `json:"maxCPUs"`
	Nodes          []fileNode `json:"nodes"`
	Edges          []fileEdge `json:"edges"`
}

type fileNode struct {
	ID          *int     `json:"id"`
	Name        string   `json:"name"`
	Supported   *flag    `json:"supportedOnFpga"`
	CPULatency  *float64 `json:"cpuLatency"`
	FPGALatency *float64 `json:"fpgaLatency"`
	Backward    flag     `json:"isBackwardNode"`
	ColorClass  *int     `json:"colorClass"`
	Size        float64  `json:"size"`
}

type fileEdge struct {
	Source *int     `json:"sourceId"`
	Dest   *int     `json:"destId"`
	Cost   *float64 `json:"cost"`
}

// flag is a boolean that the format writes as true, false, 1 or 0.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true", "1":
		*f = true
	case "false", "0", "null":
		*f = false
	default:
		return fmt.Errorf("%s is neither true, false, 1 nor 0", b)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Parse reads a workload and checks it. Errors wrap ErrInvalid, or are ErrTraining.
func Parse(data []byte) (*Workload, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch {
	case f.MaxSizePerFPGA == nil || bad(*f.MaxSizePerFPGA):
		return nil, invalid("maxSizePerFPGA is missing or negative")
	case f.MaxFPGAs == nil || *f.MaxFPGAs < 0 || *f.MaxFPGAs > MaxDevices:
		return nil, invalid("maxFPGAs is missing or not within 0 to %d", MaxDevices)
	case f.MaxCPUs == nil || *f.MaxCPUs < 0 || *f.MaxCPUs > MaxDevices:
		return nil, invalid("maxCPUs is missing or not within 0 to %d", MaxDevices)
	case len(f.Nodes) == 0 || len(f.Nodes) > MaxOps || len(f.Edges) > MaxEdges:
		return nil, invalid("%d nodes and %d edges; 1 to %d and at most %d are taken", len(f.Nodes), len(f.Edges), MaxOps, MaxEdges)
	}
	w := &Workload{Accelerators: *f.MaxFPGAs, CPUs: *f.MaxCPUs, Memory: *f.MaxSizePerFPGA}
	index := map[int]int{}
	for _, n := range f.Nodes {
		op, err := n.op()
		if err != nil {
			return nil, err
		}
		if _, ok := index[op.ID]; ok {
			return nil, invalid("two nodes have id %d", op.ID)
		}
		index[op.ID] = len(w.Ops)
		w.Ops = append(w.Ops, op)
	}
	if err := w.connect(f.Edges, index); err != nil {
		return nil, err
	}
	return w, w.sort()
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) || v < 0 }

func (n *fileNode) op() (Op, error) {
	if n.ID == nil {
		return Op{}, invalid("node %q has no id", n.Name)
	}
	if n.Backward {
		return Op{}, fmt.Errorf("node %d: %w", *n.ID, ErrTraining)
	}
	switch {
	case n.Supported == nil:
		return Op{}, invalid("node %d does not say supportedOnFpga", *n.ID)
	case n.CPULatency == nil || bad(*n.CPULatency):
		return Op{}, invalid("node %d: cpuLatency is missing, negative or not a number", *n.ID)
	case bool(*n.Supported) && (n.FPGALatency == nil || bad(*n.FPGALatency)):
		return Op{}, invalid("node %d: fpgaLatency is missing, negative or not a number", *n.ID)
	case bad(n.Size):
		return Op{}, invalid("node %d: size %v", *n.ID, n.Size)
	}
	op := Op{ID: *n.ID, Name: n.Name, CPU: *n.CPULatency, Accelerator: math.Inf(1), Size: n.Size}
	if *n.Supported {
		op.Accelerator = *n.FPGALatency
	}
	if n.ColorClass != nil {
		op.Class = *n.ColorClass + 1
		if op.Class <= 0 {
			return Op{}, invalid("node %d: colorClass %d", *n.ID, *n.ColorClass)
		}
	}
	return op, nil
}

func (w *Workload) connect(edges []fileEdge, index map[int]int) error {
	costed := map[int]bool{}
	for k, e := range edges {
		if e.Source == nil || e.Dest == nil {
			return invalid("edge %d has no sourceId or no destId", k)
		}
		a, okA := index[*e.Source]
		b, okB := index[*e.Dest]
		if !okA || !okB {
			return invalid("edge %d goes from node %d to node %d, one of which there is not", k, *e.Source, *e.Dest)
		}
		if a == b {
			return invalid("edge %d goes from node %d to itself: a cycle", k, *e.Source)
		}
		if e.Cost == nil || bad(*e.Cost) {
			return invalid("edge %d to %d: cost is missing, negative or not a number", *e.Source, *e.Dest)
		}
		if costed[a] && w.Ops[a].Cost != *e.Cost {
			return invalid("edges out of node %d have costs %v and %v; the format has one per source", *e.Source, w.Ops[a].Cost, *e.Cost)
		}
		costed[a] = true
		w.Ops[a].Cost = *e.Cost
		w.Ops[a].Succs = append(w.Ops[a].Succs, b)
		w.Ops[b].Preds = append(w.Ops[b].Preds, a)
	}
	for k := range w.Ops {
		for _, list := range []*[]int{&w.Ops[k].Preds, &w.Ops[k].Succs} {
			slices.Sort(*list)
			*list = slices.Compact(*list)
		}
	}
	return nil
}

// sort puts the ops in topological order, the earlier id first among those that are ready.
func (w *Workload) sort() error {
	wait := make([]int, len(w.Ops))
	var ready, order []int
	for k := range w.Ops {
		if wait[k] = len(w.Ops[k].Preds); wait[k] == 0 {
			ready = append(ready, k)
		}
	}
	for len(ready) > 0 {
		k := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		order = append(order, k)
		for _, s := range w.Ops[k].Succs {
			if wait[s]--; wait[s] == 0 {
				ready = append(ready, s)
			}
		}
	}
	if len(order) < len(w.Ops) {
		for k := range wait {
			if wait[k] > 0 {
				return invalid("node %d stands on a cycle, or after one", w.Ops[k].ID)
			}
		}
	}
	place := make([]int, len(order))
	for to, from := range order {
		place[from] = to
	}
	ops := make([]Op, len(order))
	for from, op := range w.Ops {
		for _, list := range []*[]int{&op.Preds, &op.Succs} {
			for k, v := range *list {
				(*list)[k] = place[v]
			}
			slices.Sort(*list)
		}
		ops[place[from]] = op
	}
	w.Ops = ops
	return nil
}

// Device is where an op runs: accelerators are 0 to Accelerators-1, CPUs follow.
type Device int

// IsCPU reports whether d is a CPU of w.
func (w *Workload) IsCPU(d Device) bool { return int(d) >= w.Accelerators }

// Loads is the load of every device under a placement, by the format's rules.
func (w *Workload) Loads(place []Device) []float64 {
	loads := make([]float64, w.Accelerators+w.CPUs)
	for k := range w.Ops {
		op, d := &w.Ops[k], place[k]
		if w.IsCPU(d) {
			loads[d] += op.CPU
		} else {
			loads[d] += op.Accelerator
		}
		out := false
		var seen []Device
		for _, s := range op.Succs {
			to := place[s]
			if to == d {
				continue
			}
			out = true
			if !w.IsCPU(to) && !slices.Contains(seen, to) {
				seen = append(seen, to)
				loads[to] += op.Cost
			}
		}
		if out && !w.IsCPU(d) {
			loads[d] += op.Cost
		}
	}
	return loads
}

// Fits is nil when every accelerator holds only supported ops of a total size within its memory, and every class shares a device.
func (w *Workload) Fits(place []Device) error {
	size := make([]float64, w.Accelerators)
	class := map[int]Device{}
	for k, d := range place {
		op := &w.Ops[k]
		if d < 0 || int(d) >= w.Accelerators+w.CPUs {
			return invalid("node %d is on device %d of %d", op.ID, d, w.Accelerators+w.CPUs)
		}
		if !w.IsCPU(d) {
			if math.IsInf(op.Accelerator, 1) {
				return fmt.Errorf("%w: node %d is not supported on accelerators", ErrInfeasible, op.ID)
			}
			if size[d] += op.Size; size[d] > w.Memory {
				return fmt.Errorf("%w: memory of accelerator %d: needs %g bytes, has %g", ErrInfeasible, d, size[d], w.Memory)
			}
		}
		if was, ok := class[op.Class]; ok && op.Class != 0 && was != d {
			return fmt.Errorf("%w: class of node %d is on devices %d and %d", ErrInfeasible, op.ID, was, d)
		}
		class[op.Class] = d
	}
	return nil
}
