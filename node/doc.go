// Package node is the daemon that runs on every device: membership, model store, stage host, profiles, control loop, APIs.
package node
