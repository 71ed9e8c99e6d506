package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newEvict() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "evict NODE",
		Short: "Put a node out of the mesh for good; the node behind --api must be the mesh's authority",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.client().Evict(cmd.Context(), args[0]); err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), map[string]string{"evicted": args[0]})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is evicted: members drop it as the word reaches them\n", args[0])
			return nil
		},
	}
	api.register(cmd)
	return cmd
}
