package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node/client"
)

func newLs() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the nodes of the mesh and the measured paths between them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := api.client()
			nodes, err := c.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			paths, err := c.Paths(cmd.Context())
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), struct {
					Nodes []client.Node `json:"nodes"`
					Paths []client.Path `json:"paths"`
				}{nodes.Nodes, paths.Paths})
			}
			var rows [][]string
			for _, n := range nodes.Nodes {
				name := n.Name
				if n.Self {
					name += " (this)"
				}
				rows = append(rows, []string{name, n.State, n.Role, n.Platform, strconv.Itoa(n.Cores), fmt.Sprintf("%g", n.Speed), fmt.Sprint(n.Backends), n.ID})
			}
			out := cmd.OutOrStdout()
			if err := table(out, "NODE STATE ROLE PLATFORM CORES SPEED BACKENDS ID", rows); err != nil {
				return err
			}
			if len(paths.Paths) == 0 {
				return nil
			}
			fmt.Fprintln(out)
			rows = nil
			for _, p := range paths.Paths {
				configured := "-"
				if l := p.Configured; l != nil {
					configured = fmt.Sprintf("%g Mbps, %g ms", l.Mbps, 2*l.DelayMS)
				}
				goodput, age := "-", "-" // not measured yet
				if p.Mbps > 0 {
					goodput, age = fmt.Sprintf("%.1f Mbps", p.Mbps), fmt.Sprintf("%.0f s", p.AgeMS/1e3)
				}
				way := "direct"
				if p.Relayed {
					way = "relayed"
				}
				rows = append(rows, []string{
					p.From, p.To, way, fmt.Sprintf("%.2f ms", p.RTTMS), goodput, fmt.Sprintf("%.2f%%", p.Loss*100), age,
					fmt.Sprintf("%.1f", p.Confidence), configured,
				})
			}
			return table(out, "FROM TO WAY RTT GOODPUT LOSS AGE CONFIDENCE EMULATED", rows)
		},
	}
	api.register(cmd)
	return cmd
}
