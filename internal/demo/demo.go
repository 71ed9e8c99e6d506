// Package demo is Cleave's main job shown on one machine: device, edge and cloud as three node processes over shaped
// links discover each other, plan the cut of a real face detector, run it, adapt to a worse link, and survive a kill.
package demo
