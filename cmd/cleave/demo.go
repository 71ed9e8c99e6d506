package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/demo"
)

// demoLimit ends a demo that hangs, whatever the reason.
const demoLimit = 2 * time.Minute

func newDemo() *cobra.Command {
	var (
		asJSON  bool
		opts    demo.Options
		picture string
	)
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a real split inference: three node processes over shaped links on this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			exe, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find the cleave binary: %w", err)
			}
			opts.Exe, opts.Picture, opts.Progress = exe, picture, cmd.ErrOrStderr()
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), demoLimit, fmt.Errorf("the demo took longer than %v", demoLimit))
			defer cancel()
			report, err := demo.Run(ctx, opts)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	c.Flags().IntVar(&opts.Runs, "runs", 15, "how many times each way is measured")
	c.Flags().StringVar(&picture, "picture", "cleave-demo.png", "where the photograph with the boxes goes; empty for none")
	return c
}
