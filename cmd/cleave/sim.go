package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/sim"
)

func newSim() *cobra.Command {
	var (
		asJSON       bool
		planners     []string
		profile, out string
		measured     string
		seed         uint64
		replications int
		requests     int
		detect       time.Duration
	)
	c := &cobra.Command{
		Use:   "sim TOPOLOGY.yaml",
		Short: "Simulate a topology on a virtual clock: what each way to place the model would take",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg := sim.Config{Seed: seed, Detect: detect, Trace: out != ""}
			var err error
			if cfg.Topology, err = topology.Load(args[0]); err != nil {
				return err
			}
			if requests > 0 {
				cfg.Topology.Workload.Requests = requests
			}
			if cfg.Profile, err = simProfile(cfg.Topology, profile); err != nil {
				return err
			}
			policies, err := simPolicies(cfg.Topology, planners)
			if err != nil {
				return err
			}
			report, err := cfg.Report(cmd.Context(), policies, replications)
			if err != nil {
				return err
			}
			if measured == "" {
				measured = measuredBeside(args[0])
			}
			if measured != "" {
				m, err := sim.LoadMeasured(measured)
				if err != nil {
					return err
				}
				if err := report.Comparison.Against(m); err != nil {
					return err
				}
			}
			if out != "" {
				names, err := report.WriteFiles(out)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "wrote", strings.Join(names, ", "))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	f.StringSliceVar(&planners, "planner", nil, "compare these planners under the workload's rule, instead of the demo's five ways")
	f.StringVar(&profile, "profile", "", "file of measurements to use instead of the workload's")
	f.StringVar(&measured, "measured", "", "what cleave demo --json or cleave lab --json printed, to put beside the simulation (default NAME.measured.json beside NAME.yaml, where there is one)")
	f.StringVar(&out, "out", "", "folder for JSON, CSV and a Perfetto trace")
	f.Uint64Var(&seed, "seed", 1, "first seed of the random numbers")
	f.IntVar(&replications, "replications", sim.DefaultReplications, "how many seeds each way is run with")
	f.IntVar(&requests, "requests", 0, "requests in each run; 0 means as many as the file says")
	f.DurationVar(&detect, "detect", sim.DefaultDetect, "how long the death of a node goes unnoticed")
	return c
}

func simProfile(t *topology.Topology, name string) (*sim.Profile, error) {
	if name == "" {
		if t.Workload.Profile == "" {
			return nil, fmt.Errorf("%s: workload.profile: missing: name a file of measurements there or with --profile", t.Name)
		}
		name = filepath.Join(t.Dir, t.Workload.Profile)
	}
	return sim.LoadProfile(name)
}

// simPolicies are the demo's five ways, or the named planners.
func simPolicies(t *topology.Topology, names []string) ([]sim.Policy, error) {
	if len(names) == 0 {
		return sim.Policies()
	}
	policies := make([]sim.Policy, len(names))
	for i, name := range names {
		p, err := planner.Lookup(name)
		if err != nil {
			return nil, err
		}
		policies[i] = sim.Policy{Name: name, Planner: p, Rule: t.Workload.Rule, MayExit: p.Name() == "auto"}
	}
	return policies, nil
}

// measuredBeside is the file of a real run that lies beside a topology, demo.measured.json for demo.yaml; "" when there is none.
func measuredBeside(topologyFile string) string {
	name := strings.TrimSuffix(topologyFile, filepath.Ext(topologyFile)) + ".measured.json"
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}
