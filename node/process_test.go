package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/cleave-mesh/cleave/node/client"
)

// envNode makes the test binary a node: its value is the node's Config as JSON.
const envNode = "CLEAVE_TEST_NODE"

func TestMain(m *testing.M) {
	if text := os.Getenv(envNode); text != "" {
		os.Exit(runAsNode(text))
	}
	// The workers of the kernels are the process's, not a node's.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/cleave-mesh/cleave/internal/kernel/pool.(*worker).loop"),
		// memberlist's shutdown does not wait for a probe that is under way; it ends by its timeout.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// runAsNode runs a node until standard input ends.
func runAsNode(text string) int {
	var cfg Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	n, err := Start(context.Background(), cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := n.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// remoteNode is a node in a process of its own.
type remoteNode struct {
	cmd    *exec.Cmd
	client *client.Client
}

// startProcess runs a node in a process of its own until the test ends.
func startProcess(t *testing.T, cfg Config) *remoteNode {
	t.Helper()
	cfg.Data = filepath.Join(t.TempDir(), cfg.Name)
	cfg.Listen, cfg.API = "127.0.0.1:0", "127.0.0.1:0"
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envNode+"="+string(text))
	cmd.Stderr = &testLog{t: t, name: cfg.Name}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Signal(syscall.SIGCONT) // a stopped process cannot end
		_ = cmd.Process.Kill()                  // and a killed one cannot be asked
		_ = cmd.Wait()
	})
	r := &remoteNode{cmd: cmd}
	until(t, "node "+cfg.Name+" to start", func() error {
		addr, err := os.ReadFile(filepath.Join(cfg.Data, apiFile))
		if err != nil {
			return err
		}
		r.client = client.New(string(addr), "")
		_, err = r.client.Self(t.Context())
		return err
	})
	t.Cleanup(r.client.Close)
	return r
}

// testLog keeps what a process writes and prints it when the test has failed.
type testLog struct {
	t    *testing.T
	name string
}

func (l *testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s: %s", l.name, b)
	return len(b), nil
}

func TestRequestSurvivesItsNode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts node processes, whose stages are too slow under the race detector")
	}
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(sig.String(), func(t *testing.T) {
			// One engine everywhere: the answer must be the local run's to the bit, whoever computes the rest.
			engines := []string{"native"}
			device := testNode(t, "device", func(c *Config) { c.Backends = engines })
			token := testToken(t, device, 2)
			// The edge is slow, so that its stage is under way for long enough to be hit.
			edge := startProcess(t, Config{Name: "edge", Join: token, Speed: 0.003, Threads: 1, Backends: engines})
			startProcess(t, Config{Name: "cloud", Join: token, Speed: 0.5, Threads: 1, Backends: engines})
			c := testClient(t, device)
			pushModel(t, c, 3)
			in, want := local(t)
			plan, err := c.Plan(t.Context(), client.PlanRequest{Model: "faces", Lossless: true, Via: []string{"edge"}, Install: true})
			if err != nil {
				t.Fatal(err)
			}
			// The profile is exact enough to tell the edge's stage from noise, or the test would prove nothing.
			type outcome struct {
				res *client.InferResult
				err error
			}
			done := make(chan outcome, 1)
			go func() {
				res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Plan: plan.ID, Inputs: in})
				done <- outcome{res, err}
			}()
			until(t, "the request to reach the edge", func() error {
				s, err := edge.client.Sessions(t.Context())
				if err != nil {
					return err
				}
				if len(s.Sessions) == 0 {
					return fmt.Errorf("no session")
				}
				return nil
			})
			if err := edge.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			got := <-done
			if got.err != nil {
				t.Fatalf("the request failed: %v", got.err)
			}
			sameOutputs(t, want, got.res.Outputs)
			if r := got.res.Report; !r.Replanned || len(r.Events) == 0 || r.LastPlan == r.Plan {
				t.Errorf("the request was not replanned: %+v", r)
			}
			// The mesh goes on without the node.
			res, err := c.Infer(t.Context(), client.InferRequest{Model: "faces", Inputs: in})
			if err != nil {
				t.Fatalf("the next request failed: %v", err)
			}
			for _, s := range res.Report.Stages {
				if s.Node == "edge" {
					t.Errorf("the next request used the dead node: %+v", res.Report)
				}
			}
		})
	}
}
