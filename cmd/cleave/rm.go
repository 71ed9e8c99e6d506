package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRm() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a model from every node of the mesh",
		Args:  oneArgument("rm needs the name of a model: cleave rm NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := api.client().Remove(cmd.Context(), args[0]); err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), map[string]string{"removed": args[0]})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", args[0])
			return nil
		},
	}
	api.register(cmd)
	return cmd
}
