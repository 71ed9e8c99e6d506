// Package node is the daemon that runs on every device: membership, model store, stage host, profiles, control loop, APIs.
//
// A Node is a shell around pure machines. Package session says what one inference does next, package control says when a
// plan is worth replacing, package planner says where the parts of a model run; the Node feeds them events and carries
// out their effects with real engines, codecs and connections.
//
// The way of a request: the entry node (the one whose API was called) takes the installed plan for (model, objective, rule),
// which every participant compiled and acknowledged beforehand under the plan's content address. Boundary values then go
// straight from stage to stage, each on a stream of its own, and stay at their producer until the entry releases the
// request. Small notices tell the entry which stage is done. When a peer dies, freezes or is late, the entry plans what is
// left from the values that are still kept somewhere, installs that plan and goes on; the answer is delivered once.
//
// What a node knows of itself (held models, profiles, paths) it publishes as records that package member spreads.
package node
