package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newAuthority() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "authority",
		Short: "Look after the key that the mesh's membership rests on",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRotate())
	return cmd
}

func newRotate() *cobra.Command {
	var api apiFlags
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the authority's key; the node behind --api must keep it. Tokens made before are void",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if overlap < time.Minute {
				return fmt.Errorf("--overlap %v: give at least 1m", overlap)
			}
			r, err := api.client().Rotate(cmd.Context(), overlap)
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "authority key number %d: %s\n", r.Number+1, r.Key)
			fmt.Fprintf(cmd.ErrOrStderr(), "members renew within a minute; the old key ends %s: who is away until then needs a new token\n",
				r.OldEnd.Local().Format(time.DateTime))
			return nil
		},
	}
	api.register(cmd)
	cmd.Flags().DurationVar(&overlap, "overlap", 30*24*time.Hour, "how long the old key stays good, up to 90 days (2160h)")
	return cmd
}
