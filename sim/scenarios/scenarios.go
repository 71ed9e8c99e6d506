// Package scenarios embeds the topology files that ship with Cleave, so that the one binary can run them.
package scenarios

import _ "embed"

// Demo is the topology of cleave demo: a slow camera, an edge box nearby, a fast server far away.
//
//go:embed demo.yaml
var Demo []byte
