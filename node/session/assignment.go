package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// stageState is a stage of the present plan.
type stageState struct {
	task Task
	node planner.NodeID
	end  time.Duration // predicted, from the beginning of the epoch
	done bool
}

// stagesOf are the stages of a plan with the values that cross their borders. It fails when the plan refers to something
// that the problem does not have.
func stagesOf(p *planner.Problem, plan *planner.Plan) ([]stageState, error) {
	if plan == nil {
		return nil, fmt.Errorf("there is no plan")
	}
	owner := make([]int, len(p.Pieces)) // stage + 1
	for i, s := range plan.Stages {
		if s.Node < 0 || int(s.Node) >= len(p.Nodes) {
			return nil, fmt.Errorf("stage %d is on node %d of %d", i, s.Node, len(p.Nodes))
		}
		for _, id := range s.Pieces {
			if id < 0 || int(id) >= len(p.Pieces) || owner[id] != 0 {
				return nil, fmt.Errorf("stage %d has piece %d, which is in another stage or not in the model", i, id)
			}
			owner[id] = i + 1
		}
	}
	for _, t := range plan.Transfers {
		if t.Value < 0 || int(t.Value) >= len(p.Values) || min(t.From, t.To) < 0 || int(max(t.From, t.To)) >= len(p.Nodes) {
			return nil, fmt.Errorf("transfer of value %d from node %d to %d is not in the problem", t.Value, t.From, t.To)
		}
	}
	stages := make([]stageState, len(plan.Stages))
	for i, s := range plan.Stages {
		t := Task{Stage: i, Pieces: s.Pieces}
		for _, id := range s.Pieces {
			for _, v := range p.Pieces[id].In {
				if from := p.Values[v].Producer; from == planner.External || owner[from] != i+1 {
					t.In = append(t.In, v)
				}
			}
			for _, v := range p.Pieces[id].Out {
				outside := slices.ContainsFunc(p.Values[v].Consumers, func(c planner.PieceID) bool {
					return owner[c] != 0 && owner[c] != i+1
				})
				if outside || p.Values[v].Output {
					t.Out = append(t.Out, v)
				}
			}
		}
		t.In, t.Out = unique(t.In), unique(t.Out)
		stages[i] = stageState{task: t, node: s.Node, end: s.End}
	}
	return stages, nil
}

// assign cuts a plan into each node's part.
func assign(plan *planner.Plan, stages []stageState) map[planner.NodeID]Assignment {
	parts := map[planner.NodeID]Assignment{}
	for _, s := range stages {
		a := parts[s.node]
		a.Tasks = append(a.Tasks, s.task)
		parts[s.node] = a
	}
	for _, t := range plan.Transfers {
		a := parts[t.From]
		a.Ship = append(a.Ship, Shipment{t.Value, t.To, t.Coding})
		parts[t.From] = a
		if _, there := parts[t.To]; !there {
			parts[t.To] = Assignment{} // a node that only receives takes part, too
		}
	}
	return parts
}

// unique sorts values and keeps each once.
func unique(values []planner.ValueID) []planner.ValueID {
	slices.Sort(values)
	return slices.Compact(values)
}
