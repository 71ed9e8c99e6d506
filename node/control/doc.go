// Package control decides when to replan, as a pure machine: estimates of paths and profiles come in with their
// uncertainty, decisions to keep, switch or explore come out.
package control
