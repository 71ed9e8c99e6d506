// Package session is the life of one inference over a plan, as a pure machine: events and the time come in, effects come
// out. It never sees a tensor's bytes, a socket or a clock; the daemon and the simulator are two shells around it.
//
// The entry node runs a Coordinator, which knows the plan, what is done and where every value is kept. Every node of the
// plan, the entry included, runs a Host, which knows its own stages alone. They talk in small Messages; boundary values go
// straight from the node that makes them to the nodes that read them.
//
//	entry                       edge                        cloud
//	Coordinator --Adopt-------> Host
//	            --Adopt-----------------------------------> Host
//	Host --------value--------> Host --------value--------> Host
//	Coordinator <-Notice------- (done, held)                |
//	            <-Notice----------------------(done, held)--+
//	            --Release-----> (kept values, once their readers' outputs are held further on)
//	Host <--------------------------------------output----- Host
//	Coordinator --End---------> all
//
// A plan is carried out in an Epoch. When a node dies, freezes or fails, the Coordinator asks for a plan of what remains
// from the values that are still kept, and carries it out in the next epoch; whatever belongs to an earlier one is
// ignored, unless the new assignment lists it as held. Epoch 0 is the request itself: its inputs are the handles of
// epoch 0, and the first plan is carried out in epoch 1.
//
// A plan may have early exits: outputs that may answer alone (planner.Value.Exit). When one has come to the entry, the Coordinator asks
// its shell to Judge it, and delivers it or tells its own Host to Pass on. The request goes on meanwhile, except for what waiting costs no
// time.
//
// Rules for shells. Whatever comes for a request that a node does not know makes a new Host there. One goroutine owns each machine. Step is called with the time of one monotonic clock, and the effects
// are carried out in order. A message or value for the shell's own node is handed to its own machine, after the effects
// before it. A node's store is keyed by Handle and request: a second copy of a handle that is there is thrown away.
// Nothing may be lost silently for ever, but all may be late, double or out of order: the machines end by the deadline in
// any case.
package session
