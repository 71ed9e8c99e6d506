//go:build unix

package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// frozenDir names the data folder of the process that TestFrozenPeer freezes: the test binary, run again.
const frozenDir = "CLEAVE_FROZEN_DIR"

// TestFrozenPeer stops a process and wakes it again: the host must tell, within the deadline, and without its connection ending.
func TestFrozenPeer(t *testing.T) {
	ctx := testContext(t)
	m := transporttest.New(t, 1, nil)
	h := m.Hosts[0]
	dir := t.TempDir()
	id, err := transport.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Credentials(t, id, admit.Member).Save(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestFrozenNode$", "-test.v")
	cmd.Env = append(os.Environ(), frozenDir+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = in.Close()
		_ = cmd.Wait()
	})
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		if addr, ok := strings.CutPrefix(sc.Text(), "ready "); ok {
			h.Learn(id.ID(), addr)
			break
		}
	}
	if err := h.Connect(ctx, id.ID()); err != nil {
		t.Fatal(err)
	}
	const deadline = 200 * time.Millisecond
	stop := h.Watch(id.ID(), deadline)
	defer stop()
	if _, err := h.Call(ctx, id.ID(), transport.KindUser, []byte("x")); err != nil {
		t.Fatal(err)
	}
	await := func(kind transport.PeerEventKind) transport.PeerEvent {
		t.Helper()
		for {
			select {
			case e := <-h.PeerEvents():
				if e.Kind == kind {
					return e
				}
				if e.Kind == transport.PeerLost {
					t.Fatalf("the connection ended: %v", e.Err)
				}
			case <-ctx.Done():
				t.Fatalf("no event %q", kind)
			}
		}
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	e := await(transport.PeerStalled)
	t.Logf("frozen peer reported after %v, silent for %v", time.Since(begin), e.Silence)
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(transport.PeerRecovered)
	if _, err := h.Call(ctx, id.ID(), transport.KindUser, []byte("x")); err != nil {
		t.Errorf("call after recovery: %v", err)
	}
}

// TestFrozenNode is the process of TestFrozenPeer; alone it does nothing.
func TestFrozenNode(t *testing.T) {
	dir := os.Getenv(frozenDir)
	if dir == "" {
		t.Skip("run by TestFrozenPeer")
	}
	id, err := transport.LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	creds, err := admit.LoadCredentials(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h, err := transport.Listen(t.Context(), transport.Config{Identity: id, Credentials: creds})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	h.Handle(transport.KindUser, func(_ context.Context, in *transport.Incoming) { _, _ = io.Copy(in, in) })
	fmt.Println("ready", h.Addrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
}
