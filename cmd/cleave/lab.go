package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/internal/topology"
	"github.com/cleave-mesh/cleave/sim/lab"
)

func newLab() *cobra.Command {
	var (
		asJSON bool
		out    string
		cfg    lab.Config
	)
	c := &cobra.Command{
		Use:   "lab TOPOLOGY.yaml --model FILE.onnx",
		Short: "Run a topology on real node processes on this machine, beside its simulation",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if cfg.Exe, err = os.Executable(); err != nil {
				return fmt.Errorf("find the cleave binary: %w", err)
			}
			if cfg.Topology, err = topology.Load(args[0]); err != nil {
				return err
			}
			if cfg.File, err = os.ReadFile(args[0]); err != nil {
				return fmt.Errorf("read topology: %w", err)
			}
			if cfg.Model == "" {
				return fmt.Errorf("no model: name the ONNX file of %s with --model", cfg.Topology.Workload.Model)
			}
			began := time.Now()
			cfg.Say = func(format string, args ...any) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%5.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
			}
			report, err := lab.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeLab(out, report); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), report)
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print one JSON document")
	f.StringVar(&cfg.Model, "model", "", "ONNX file of the workload's model")
	f.StringVar(&cfg.Image, "image", "", "how a picture input maps to pixels, such as scale=127.5,offset=-1: it may travel as JPEG then")
	f.IntVar(&cfg.Runs, "runs", lab.DefaultRuns, "how often each way is measured")
	f.StringVar(&out, "out", "", "folder for lab.json, and for profile.json, which cleave sim --profile reads")
	return c
}

// writeLab puts a report and its profile into a folder.
func writeLab(dir string, report *lab.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	for name, v := range map[string]any{"lab.json": report, "profile.json": report.Profile} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("write report: %w", err)
		}
		if err := writeJSON(f, v); err != nil {
			f.Close()
			return fmt.Errorf("write report: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}
