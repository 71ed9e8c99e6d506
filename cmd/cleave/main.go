// Command cleave is the one binary of the mesh: it runs a node, talks to one, plans, simulates, and runs models locally.
// A file holds one subcommand: its flags and its printing, nothing else.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// commands lists every subcommand in the order in which help prints them.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDemo(),
		newNode(),
		newToken(),
		newEvict(),
		newAuthority(),
		newLs(),
		newModels(),
		newPs(),
		newPush(),
		newPull(),
		newRm(),
		newPlanCommand(),
		newInfer(),
		newRun(),
		newBench(),
		newSuite(),
		newSim(),
		newLab(),
		newCalibrate(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cleave:", err)
		stop()
		os.Exit(1)
	}
}

// newRoot builds the command tree. Errors come back to main, which prints each as one line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "cleave",
		Short:         "Split one inference over device, edge and cloud",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
	}
	cobra.EnableCommandSorting = false // commands tells the story of a mesh
	root.AddCommand(commands()...)
	return root
}
