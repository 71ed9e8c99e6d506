// Package topology reads and checks the topology file: nodes, links, workload and events, with written units, in one file
// that planner, simulator, demo and lab all read.
package topology
