package session

import (
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// Epoch numbers the plans of one request, from 1; epoch 0 stands for the request's own inputs.
type Epoch uint32

// Handle names one tensor in a node's store, within a request: a value, and the epoch in which the node made or
// received it.
type Handle struct {
	Value planner.ValueID
	Epoch Epoch
}

// Task is one stage as its host sees it.
type Task struct {
	// Stage is the index in the plan's Stages.
	Stage int
	// Pieces are the stage's, ascending.
	Pieces []planner.PieceID
	// In are the values that come from outside the stage, Out those that are needed outside of it; both ascending. A stage
	// extracted from the graph may define more boundary values than Out lists: the rest is thrown away.
	In, Out []planner.ValueID
	// After are early exits that have to be passed before the stage begins.
	After []planner.ValueID `json:",omitempty"`
}

// Shipment is one value that a node sends to another as soon as it has it.
type Shipment struct {
	Value planner.ValueID
	To    planner.NodeID
	// Coding is the index into the value's Codings.
	Coding int
}

// Gate holds a shipment back until early exits are passed.
type Gate struct {
	Value planner.ValueID
	To    planner.NodeID
	After []planner.ValueID
}

// Assignment is the part of a plan that one node carries out.
type Assignment struct {
	Epoch Epoch
	// Entry is the node that coordinates and that notices go to.
	Entry planner.NodeID
	// Remaining is the time until the request's deadline when the assignment was sent.
	Remaining time.Duration
	// Tasks are the stages of the node, in an order in which they can run.
	Tasks []Task
	// Ship are the values to send.
	Ship []Shipment
	// Gates are the shipments of Ship that wait for early exits.
	Gates []Gate `json:",omitempty"`
	// Hold are the kept values of earlier epochs that the node keeps; it drops all others.
	Hold []Handle
}

// Message goes between the Coordinator and a Host. It is *Adopt, *Notice, *Release, *Pass or *End.
type Message interface{ isMessage() }

// Adopt gives a Host its part of a new epoch. Sent again, it asks whether the Host is there.
type Adopt struct{ Assignment Assignment }

// Notice tells the Coordinator what became true at a Host in an epoch. Each is sent once; a Host repeats all of them when
// it gets the same Adopt again.
type Notice struct {
	Epoch Epoch
	// Done are the stages that were computed.
	Done []int
	// Held are the values that the node now keeps.
	Held []Handle
	// Missing are handles of the assignment's Hold that the node does not have: it lost its memory.
	Missing []Handle
	// Sent are shipments that were handed over whole, Unsent those that broke off.
	Sent, Unsent []Shipment
	// Failed are stages that the node could not compute.
	Failed []Failure
}

// Failure is a stage that a node could not compute.
type Failure struct {
	Stage  int
	Reason string
}

// Release lets a Host drop values.
type Release struct {
	Epoch  Epoch
	Values []Handle
}

// Pass tells a Host that an early exit does not answer the request: what waited for it begins.
type Pass struct {
	Epoch Epoch
	Exit  planner.ValueID
}

// End tells a Host that the request is over, or goes on without it: it drops everything, and ignores all epochs up to
// this one.
type End struct{ Epoch Epoch }

func (*Adopt) isMessage()   {}
func (*Notice) isMessage()  {}
func (*Release) isMessage() {}
func (*Pass) isMessage()    {}
func (*End) isMessage()     {}

func (n *Notice) empty() bool {
	return len(n.Done)+len(n.Held)+len(n.Missing)+len(n.Sent)+len(n.Unsent)+len(n.Failed) == 0
}

// add appends what m says.
func (n *Notice) add(m *Notice) {
	n.Done = append(n.Done, m.Done...)
	n.Held = append(n.Held, m.Held...)
	n.Missing = append(n.Missing, m.Missing...)
	n.Sent = append(n.Sent, m.Sent...)
	n.Unsent = append(n.Unsent, m.Unsent...)
	n.Failed = append(n.Failed, m.Failed...)
}

// clone is a notice of its own, which later additions do not change.
func (n *Notice) clone() *Notice {
	c := &Notice{Epoch: n.Epoch}
	c.add(n)
	return c
}
