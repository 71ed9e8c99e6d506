// Package sim answers "what if": it drives the planner, session and control machines over simulated devices and links on a
// virtual clock.
package sim
