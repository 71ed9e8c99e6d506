package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node/client"
)

func newPs() *cobra.Command {
	var api apiFlags
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List running plans with predicted and measured times, and sessions",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := api.client()
			rows, err := c.Rows(cmd.Context())
			if err != nil {
				return err
			}
			sessions, err := c.Sessions(cmd.Context())
			if err != nil {
				return err
			}
			if api.json {
				return writeJSON(cmd.OutOrStdout(), struct {
					Plans    []client.Row     `json:"plans"`
					Sessions []client.Session `json:"sessions"`
				}{rows.Rows, sessions.Sessions})
			}
			var plans [][]string
			for _, r := range rows.Rows {
				plans = append(plans, []string{
					r.Model, r.Name, fmt.Sprintf("%.12s", r.Plan), strings.Join(r.Path, ">"), fmt.Sprintf("%.1f ms", r.PredictedMS),
					fmt.Sprintf("%.1f ms", r.MeasuredMS), fmt.Sprintf("%.1f ms", r.P95MS), fmt.Sprint(r.Runs),
				})
			}
			out := cmd.OutOrStdout()
			if err := table(out, "MODEL STRATEGY PLAN STAGES PREDICTED MEDIAN P95 RUNS", plans); err != nil {
				return err
			}
			fmt.Fprintln(out)
			var list [][]string
			for _, s := range sessions.Sessions {
				list = append(list, []string{
					fmt.Sprintf("%.12s", s.ID), s.Model, fmt.Sprintf("%.12s", s.Plan), s.Role, s.State,
					time.Since(s.Since).Round(time.Second).String(), fmt.Sprint(s.Replans), s.Error,
				})
			}
			return table(out, "SESSION MODEL PLAN ROLE STATE AGE REPLANS ERROR", list)
		},
	}
	api.register(cmd)
	return cmd
}
