package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newPull() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "pull NAME",
		Short: "Fetch a model of the mesh to the node behind --api",
		Args:  oneArgument("pull needs the name of a model: cleave pull NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := api.client().Pull(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), m)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is here: %.1f MB, sha256 %s\n", m.Name, float64(m.Size)/1e6, m.Digest)
			return nil
		},
	}
	api.register(cmd)
	return cmd
}
