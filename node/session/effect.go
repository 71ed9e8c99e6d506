package session

import (
	"fmt"
	"time"

	"github.com/cleave-mesh/cleave/planner"
)

// Effect is something for the shell to do. Effects carry handles, never bytes.
type Effect interface{ isEffect() }

// Tell sends a message to a node, which may be the shell's own. Both machines.
type Tell struct {
	To      planner.NodeID
	Message Message
}

// Compute runs a stage on values in the store, and ends in Computed or ComputeFailed with the same Epoch. Host.
type Compute struct {
	Epoch Epoch
	Task  Task
	// In is parallel to Task.In.
	In []Handle
}

// Abandon says that the result of a Compute is not wanted any more: the shell may cancel it, and answers it or not. Host.
type Abandon struct {
	Epoch Epoch
	Task  Task
}

// Send encodes a value from the store and sends it to another node, where it arrives under Epoch; it ends in Sent or
// SendFailed. Host.
type Send struct {
	Handle Handle
	Epoch  Epoch
	To     planner.NodeID
	Coding int
	// Remaining is the time until the request's deadline.
	Remaining time.Duration
}

// Drop frees values in the store. Host.
type Drop struct{ Values []Handle }

// SetTimer asks for a Timer at a time of the shell's clock; it replaces the machine's timer before. Both.
type SetTimer struct{ At time.Duration }

// Closed says that the Host holds nothing and wants nothing: the shell may forget it and whatever is in the request's
// store. Host.
type Closed struct{}

// Replan asks for a plan of what remains; Replanned or ReplanFailed with the same Attempt answers. A later Replan makes
// earlier ones void. Coordinator.
type Replan struct {
	Attempt int
	// Have lists the nodes that keep each value that is still kept, ascending.
	Have map[planner.ValueID][]planner.NodeID
	// Unfit are nodes that may hold and forward values but not compute, Exclude nodes that may take no part; ascending.
	Unfit, Exclude []planner.NodeID
	// Remaining are the pieces that are to be run, ascending.
	Remaining []planner.PieceID
	// Cause says why, for logs.
	Cause string
}

// Judge asks whether an early exit's output, which is in the entry's store, answers the request; Judged with the same Handle says so.
// Coordinator.
type Judge struct{ Handle Handle }

// Deliver hands the outputs to whoever asked: an early exit's alone, or those of the model's end. They are in the entry's store until its
// Host drops them. It comes at most once, and never beside Fail. Coordinator.
type Deliver struct{ Outputs []Handle }

// Fail gives up. Coordinator.
type Fail struct {
	Cause  Cause
	Detail string
}

// Cause is why a request failed.
type Cause uint8

// The causes.
const (
	Deadline   Cause = iota + 1 // the deadline passed; the detail says what was missing
	NoPlan                      // the nodes that are left cannot do it; the detail says why
	Cancelled                   // nobody wanted the answer any more
	BadRequest                  // the plan or problem contradicts itself
)

func (c Cause) String() string {
	switch c {
	case Deadline:
		return "deadline exceeded"
	case NoPlan:
		return "no plan"
	case Cancelled:
		return "cancelled"
	case BadRequest:
		return "bad request"
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

func (f Fail) Error() string { return f.Cause.String() + ": " + f.Detail }

func (Tell) isEffect()     {}
func (Compute) isEffect()  {}
func (Abandon) isEffect()  {}
func (Send) isEffect()     {}
func (Drop) isEffect()     {}
func (SetTimer) isEffect() {}
func (Closed) isEffect()   {}
func (Replan) isEffect()   {}
func (Judge) isEffect()    {}
func (Deliver) isEffect()  {}
func (Fail) isEffect()     {}
