// Package planner decides where each part of a model runs and how each boundary value travels.
//
// A Problem is numbers only: pieces of a model with their measured seconds on every node, the values between them with
// their sizes under every codec, directed paths, limits and an objective. A Planner turns it into a Plan that carries its
// own predicted cost, timeline and proof (a lower bound, and whether the plan is optimal). Solvers are pure: no I/O, no
// clock beyond the deadline in their context, no randomness without a seed.
package planner
