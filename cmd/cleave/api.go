package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cleave-mesh/cleave/node/client"
)

// apiFlags are the flags of every command that talks to a running node.
type apiFlags struct {
	addr, key string
	json      bool
}

func (a *apiFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.addr, "api", "", "HTTP interface of the node to ask (default $CLEAVE_API or "+client.DefaultAddr+")")
	f.StringVar(&a.key, "key", "", "key of that interface (default $CLEAVE_KEY)")
	f.BoolVar(&a.json, "json", false, "print one JSON document")
}

// client is a client for the node that the flags name.
func (a *apiFlags) client() *client.Client {
	addr, key := a.addr, a.key
	if addr == "" {
		addr = os.Getenv("CLEAVE_API")
	}
	if key == "" {
		key = os.Getenv("CLEAVE_KEY")
	}
	return client.New(addr, key)
}

// table prints rows with aligned columns.
func table(w io.Writer, head string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}
