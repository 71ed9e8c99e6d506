// Package control decides when to replan, as a pure machine: estimates of paths and profiles come in with their
// uncertainty, decisions to keep, switch or explore come out.
//
// A Machine is asked from time to time what to do about one plan in force. It is told what the plan and its alternatives are
// predicted to take now, with the standard deviation of each prediction. It compares a quantile of latency, not its mean; a
// switch has to promise a minimum gain, several times in a row, not too soon after the last one, and has to earn back what it costs
// (weights to move, sessions to drain) within a horizon. A plan that cannot run any more is left at once. Paths that nobody uses
// are probed before their estimates go stale, those first that could carry a better plan than the present one.
package control
