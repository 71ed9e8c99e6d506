// Package session is the life of one inference over a plan, as a pure machine: events and the time come in, effects come
// out. It never sees a tensor's bytes, a socket or a clock; the daemon and the simulator are two shells around it.
package session
