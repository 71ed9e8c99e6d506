package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newModels() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List the models of the mesh and how fast each node runs them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			models, err := api.client().Models(cmd.Context())
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), models)
			}
			var rows [][]string
			for _, m := range models.Models {
				var at []string
				for _, n := range m.Nodes {
					switch {
					case n.Error != "":
						at = append(at, n.Node+": "+n.Error)
					case len(n.Profiles) > 0:
						best := n.Profiles[0]
						for _, p := range n.Profiles {
							if p.MS < best.MS {
								best = p
							}
						}
						at = append(at, fmt.Sprintf("%s: %.1f ms (%s)", n.Node, best.MS, best.Backend))
					case n.Holds:
						at = append(at, n.Node+": not profiled yet")
					}
				}
				rows = append(rows, []string{m.Name, fmt.Sprintf("%.12s", m.Digest), fmt.Sprintf("%.1f MB", float64(m.Size)/1e6), strings.Join(at, ", ")})
			}
			return table(cmd.OutOrStdout(), "MODEL DIGEST SIZE NODES", rows)
		},
	}
	api.register(cmd)
	return cmd
}
