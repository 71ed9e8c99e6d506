package node

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/node/client"
	"github.com/cleave-mesh/cleave/planner"
	"github.com/cleave-mesh/cleave/transport"
)

// TestClientHostsNothing has a client asked to host, and lets it try to change what the mesh holds.
func TestClientHostsNothing(t *testing.T) {
	authority := testNode(t, "authority", nil)
	tok, err := testClient(t, authority).Token(t.Context(), client.TokenRequest{Uses: 1, Role: "client"})
	if err != nil {
		t.Fatal(err)
	}
	guest := testNode(t, "guest", func(c *Config) { c.Join = tok.Token })
	stages, err := json.Marshal(installation{Frame: []byte("{}"), Stages: [][]planner.PieceID{{0}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what     string
		from, to *Node
		kind     transport.Kind
		body     []byte
		want     transport.Code
	}{
		{"a client is asked to run a stage", authority, guest, kindInstall, stages, transport.CodeRefused},
		{"a client is asked to profile", authority, guest, kindProfile, []byte("{}"), transport.CodeRefused},
		{"a client announces models", guest, authority, kindNames, []byte("[]"), transport.CodeRefused},
		{"a client asks for a stage", guest, authority, kindInstall, stages, transport.CodeInternal},
		{"a client asks for a profile", guest, authority, kindProfile, []byte("{}"), transport.CodeMalformed},
	} {
		_, err := c.from.mesh.Call(t.Context(), c.to.ID(), c.kind, c.body)
		var remote *transport.RemoteError
		if !errors.As(err, &remote) || remote.Code != c.want {
			t.Errorf("%s: %v, want code %v", c.what, err, c.want)
		}
	}
}

// TestClientInfers has a client of the mesh ask for an inference, which others compute.
func TestClientInfers(t *testing.T) {
	authority := testNode(t, "authority", nil)
	tok, err := testClient(t, authority).Token(t.Context(), client.TokenRequest{Uses: 1, Role: "client"})
	if err != nil {
		t.Fatal(err)
	}
	guest := testNode(t, "guest", func(c *Config) { c.Join = tok.Token })
	pushModel(t, testClient(t, authority), 1) // profiled by the authority alone
	in, want := local(t)
	c := testClient(t, guest)
	var plan client.Plan
	until(t, "the client to know who can run the model", func() error {
		plan, err = c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Install: true})
		return err
	})
	res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: plan.ID, Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	sameOutputs(t, want, res.Outputs)
	for _, s := range res.Report.Stages {
		if s.Node != "authority" {
			t.Errorf("stage %v ran on %s", s, s.Node)
		}
	}
}
