package planner

import (
	"fmt"
	"strings"
)

// Planners is every planner there is, the best first, then Cleave's exact solvers, then the rivals.
func Planners() []Planner {
	return append([]Planner{
		auto{},
		sweeper{},
		minCut{name: "mincut", returns: false},
		minCut{name: "mincut-return", returns: true},
		chain{},
		tiers{},
		pipeline{},
		single{name: "device-only", choose: deviceOnly},
		single{name: "cloud-only", choose: cloudOnly, raw: true},
		single{name: "cloud-only-jpeg", choose: cloudOnly, jpeg: true},
	}, rivals()...)
}

// Lookup finds a planner by name; "" and "best" are names of the first.
func Lookup(name string) (Planner, error) {
	all := Planners()
	if name == "" || name == "best" {
		return all[0], nil
	}
	names := make([]string, len(all))
	for i, p := range all {
		if p.Name() == name {
			return p, nil
		}
		names[i] = p.Name()
	}
	return nil, fmt.Errorf("no planner is called %q; there are %s", name, strings.Join(names, ", "))
}
