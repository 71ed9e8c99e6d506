// Package backends lists the backends that this build and this host have.
package backends

import (
	"fmt"
	"strings"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/engine/ort"
)

// constructor makes a backend, or says why it is not here.
type constructor struct {
	name string
	make func() (engine.Backend, error)
}

// table is the one visible list of backends, in the order in which "auto" takes them.
func table() []constructor {
	return []constructor{
		{"native", func() (engine.Backend, error) { return native.New(native.Config{}), nil }},
		{"ort", func() (engine.Backend, error) { return ort.New(ort.Config{}) }},
	}
}

// Backends is every backend that can run here, the embedded one first.
func Backends() []engine.Backend {
	var all []engine.Backend
	for _, c := range table() {
		if b, err := c.make(); err == nil {
			all = append(all, b)
		}
	}
	return all
}

// Lookup is the backend called name; its error says why one of the table is not here. "auto" and "" mean the embedded one,
// which every host has.
func Lookup(name string) (engine.Backend, error) {
	if name == "auto" || name == "" {
		name = "native"
	}
	var names []string
	for _, c := range table() {
		if c.name == name {
			return c.make()
		}
		names = append(names, c.name)
	}
	return nil, fmt.Errorf("no engine %q: use auto, %s", name, strings.Join(names, " or "))
}
