package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node/client"
)

func newToken() *cobra.Command {
	var api apiFlags
	var valid time.Duration
	var req client.TokenRequest
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Print a join token; the node behind --api must be the mesh's authority",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if valid < time.Second {
				return fmt.Errorf("--valid %v: give at least 1s", valid)
			}
			if req.Uses < 1 {
				return fmt.Errorf("--uses %d: give at least 1", req.Uses)
			}
			req.ValidSeconds = int(valid / time.Second)
			t, err := api.client().Token(cmd.Context(), req)
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), t)
			}
			fmt.Fprintln(cmd.OutOrStdout(), t.Token)
			fmt.Fprintf(cmd.ErrOrStderr(), "valid until %s, for %d use(s) as %s: cleave node --join TOKEN\n",
				t.Expires.Local().Format(time.DateTime), t.Uses, t.Role)
			return nil
		},
	}
	api.register(cmd)
	cmd.Flags().DurationVar(&valid, "valid", 24*time.Hour, "how long the token may be used")
	cmd.Flags().IntVar(&req.Uses, "uses", 1, "how often the token may be used")
	cmd.Flags().StringVar(&req.Role, "role", "member", "member, client or authority")
	return cmd
}
