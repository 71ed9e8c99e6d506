package session

import (
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// Event is something that happened. Each says which machine takes it; the other ignores it.
type Event interface{ isEvent() }

// Start begins the request. Coordinator.
type Start struct{}

// Given says that the request's inputs are in the node's store under epoch 0. The Host of the node where they are gets it
// before any message.
type Given struct{ Values []planner.ValueID }

// Told is a message from another node or from the node itself. Both.
type Told struct {
	From    planner.NodeID
	Message Message
}

// TellFailed says that a message could not be delivered to a node. Coordinator.
type TellFailed struct{ To planner.NodeID }

// Arrived says that a value sent in an epoch is decoded and in the store. Host.
type Arrived struct {
	Handle Handle
	// Remaining is the time until the request's deadline, as the value's header says.
	Remaining time.Duration
}

// Computed says that a Compute is done and the values of its Task.Out are in the store under its Epoch. Host.
type Computed struct {
	Epoch Epoch
	Task  Task
}

// ComputeFailed says that a Compute ended without outputs. Host.
type ComputeFailed struct {
	Epoch  Epoch
	Task   Task
	Reason string
}

// Sent says that a Send was handed over whole; the receiver may still lose it. Host.
type Sent struct {
	Epoch Epoch
	Value planner.ValueID
	To    planner.NodeID
}

// SendFailed says that a Send broke off. Host.
type SendFailed struct {
	Epoch Epoch
	Value planner.ValueID
	To    planner.NodeID
}

// PeerDown says that a node is dead or left: its memory is lost. Coordinator.
type PeerDown struct{ Node planner.NodeID }

// PeerSuspect says that a node does not answer: it may be frozen, cut off or dead. Coordinator.
type PeerSuspect struct{ Node planner.NodeID }

// PeerUp says that a node that was down or suspect answers again. Coordinator.
type PeerUp struct{ Node planner.NodeID }

// Replanned answers a Replan with a plan in the ids of the Coordinator's problem; Resume and Remainder.Lift make one.
// Coordinator.
type Replanned struct {
	Attempt int
	Plan    *planner.Plan
}

// ReplanFailed answers a Replan for which there is no plan. Coordinator.
type ReplanFailed struct {
	Attempt int
	Reason  string
}

// Judged answers a Judge: whether the exit's output answers the request. Coordinator.
type Judged struct {
	Handle  Handle
	Answers bool
}

// Timer says that the time of the machine's last SetTimer has come. Both.
type Timer struct{}

// Cancel says that nobody wants the answer any more. Coordinator.
type Cancel struct{ Reason string }

func (Start) isEvent()         {}
func (Given) isEvent()         {}
func (Told) isEvent()          {}
func (TellFailed) isEvent()    {}
func (Arrived) isEvent()       {}
func (Computed) isEvent()      {}
func (ComputeFailed) isEvent() {}
func (Sent) isEvent()          {}
func (SendFailed) isEvent()    {}
func (PeerDown) isEvent()      {}
func (PeerSuspect) isEvent()   {}
func (PeerUp) isEvent()        {}
func (Replanned) isEvent()     {}
func (ReplanFailed) isEvent()  {}
func (Judged) isEvent()        {}
func (Timer) isEvent()         {}
func (Cancel) isEvent()        {}
