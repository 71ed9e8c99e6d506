package planner

import (
	"context"
	"math/bits"
)

// pipeline cuts the pieces, in the problem's order, into contiguous stages, each node at most one: the form that streams run in. It is
// the sweep with the nodes used so far and the current one in each label's key; optimal among such pipelines when no label was
// dropped for width. Its keys are the live values' nodes and at most nodes * 2^nodes sets of used nodes and current one, each with a front of
// times. Its bound also holds for plans that are no pipelines.
type pipeline struct{}

func (pipeline) Name() string { return "pipeline" }

func (pipeline) Plan(ctx context.Context, p *Problem) (*Plan, error) {
	in, err := newInstance(p)
	if err != nil {
		return nil, err
	}
	if in.nodes > maxPipelineNodes {
		return nil, unsuited("pipeline takes at most %d nodes", maxPipelineNodes)
	}
	plan, err := in.sweepWith(ctx, sweepOptions{width: defaultWidth, contiguous: true})
	if err == nil {
		plan.Proof.Form = "pipelines"
	}
	return plan, err
}

// maxPipelineNodes is the width of the set of used nodes in a label's key.
const maxPipelineNodes = 32

// pipelineKey is how many bytes the set of used nodes and the current node take.
const pipelineKey = 5

// contiguous reports whether each node's pieces follow each other.
func contiguous(place []NodeID) bool {
	var tail, next [pipelineKey]byte
	for _, n := range place {
		if !mayFollow(tail[:], n, next[:]) {
			return false
		}
		tail = next
	}
	return true
}

// mayFollow reports whether the next piece may run on node n after a prefix with the given key tail, and writes the new tail.
func mayFollow(tail []byte, n NodeID, out []byte) bool {
	used := uint32(tail[0]) | uint32(tail[1])<<8 | uint32(tail[2])<<16 | uint32(tail[3])<<24
	if used>>n&1 == 1 && (bits.OnesCount32(used) == 0 || NodeID(tail[4]) != n) {
		return false
	}
	used |= 1 << n
	out[0], out[1], out[2], out[3], out[4] = byte(used), byte(used>>8), byte(used>>16), byte(used>>24), byte(n)
	return true
}
