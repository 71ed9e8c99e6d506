package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestHelpListsEveryCommandOnce also holds the order, which is that of commands.
func TestHelpListsEveryCommandOnce(t *testing.T) {
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"--help"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	rest := out.String()
	for _, c := range commands() {
		line := "\n  " + c.Name() + " "
		if n := strings.Count(out.String(), line); n != 1 {
			t.Errorf("help lists %s %d times", c.Name(), n)
		}
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Errorf("%s is out of order", c.Name())
			continue
		}
		rest = after
	}
}
