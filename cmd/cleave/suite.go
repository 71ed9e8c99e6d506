package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/suite"
)

type suiteReport struct {
	Engine string            `json:"engine"`
	Cases  []suite.Result    `json:"cases"`
	Ops    []suite.OpSummary `json:"ops"`
	Passed int               `json:"passed"`
	Failed int               `json:"failed"`
}

func newSuite() *cobra.Command {
	var flags engineFlags
	var asJSON bool
	var page string
	cmd := &cobra.Command{
		Use:   "suite DIR",
		Short: "Run ONNX backend test cases: folders with model.onnx and test_data_set_*",
		Args:  oneArgument("suite needs a directory: cleave suite DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, err := flags.options()
			if err != nil {
				return err
			}
			backend, err := backends.Lookup(flags.engine)
			if err != nil {
				return err
			}
			cases, err := suite.Find(args[0])
			if err != nil {
				return err
			}
			r := suiteReport{Engine: backend.Name(), Cases: []suite.Result{}}
			progress := newProgress(cmd.ErrOrStderr())
			for i, c := range cases {
				progress.show("%d/%d %s", i+1, len(cases), c.Name)
				res := suite.Run(cmd.Context(), backend, c, opts)
				if err := cmd.Context().Err(); err != nil {
					progress.clear()
					return fmt.Errorf("stopped after %d of %d cases: %w", i, len(cases), err)
				}
				r.Cases = append(r.Cases, res)
				if res.Pass {
					r.Passed++
				} else {
					r.Failed++
				}
			}
			progress.clear()
			r.Ops = suite.Summarize(r.Cases)
			if page != "" {
				if err := writePage(page, r.Cases); err != nil {
					return err
				}
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), &r)
			} else {
				printSuite(cmd.OutOrStdout(), &r)
			}
			if err == nil && r.Failed > 0 {
				err = fmt.Errorf("%d of %d cases failed", r.Failed, len(r.Cases))
			}
			return err
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.Flags().StringVar(&page, "page", "", "also write the page of operators to this Markdown file")
	return cmd
}

func writePage(path string, results []suite.Result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(suite.WritePage(f, results), f.Close())
}

func printSuite(w io.Writer, r *suiteReport) {
	for _, c := range r.Cases {
		if c.Pass {
			fmt.Fprintf(w, "pass  %s\n", c.Name)
		} else {
			fmt.Fprintf(w, "FAIL  %s: %s\n", c.Name, c.Error)
		}
	}
	fmt.Fprintln(w)
	width := 0
	for _, op := range r.Ops {
		width = max(width, len(op.Op))
	}
	for _, op := range r.Ops {
		fmt.Fprintf(w, "%-*s  %4d passed  %4d failed\n", width, op.Op, op.Passed, op.Failed)
	}
	fmt.Fprintf(w, "\n%d passed, %d failed\n", r.Passed, r.Failed)
}
