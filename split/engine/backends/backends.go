// Package backends lists the backends that this build and this host have.
package backends

import (
	"fmt"
	"strings"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// Backends is the one visible table: every backend that can run here, the embedded one first.
func Backends() []engine.Backend {
	return []engine.Backend{native.New(native.Config{})}
}

// Lookup is the backend called name. "auto" and "" mean the first one of the table.
func Lookup(name string) (engine.Backend, error) {
	all := Backends()
	if name == "auto" || name == "" {
		return all[0], nil
	}
	var names []string
	for _, b := range all {
		if b.Name() == name {
			return b, nil
		}
		names = append(names, b.Name())
	}
	return nil, fmt.Errorf("no engine %q here: use one of auto, %s", name, strings.Join(names, ", "))
}
