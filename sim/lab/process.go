package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// stopPatience is how long a node may take to leave the mesh and exit before it is killed.
const stopPatience = 3 * time.Second

// Process is one node process. Its standard input is a pipe that only the lab holds: when the lab ends, in whatever way,
// the pipe closes and the node (started with --supervised) exits by itself.
type Process struct {
	name string
	cmd  *exec.Cmd
	in   io.Closer
	log  *tail
	done chan struct{} // closed when the process has been reaped
}

// start runs exe with args as a node called name.
func start(exe, name string, args []string) (*Process, error) {
	p := &Process{name: name, cmd: exec.Command(exe, args...), log: &tail{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start node %s: %w", name, err)
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start node %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// stop asks the node to leave and waits until it is gone; a node that does not go in time is killed.
func (p *Process) stop() {
	_ = p.in.Close() // already closed when stop comes twice
	select {
	case <-p.done:
	case <-time.After(stopPatience):
		p.Kill()
	}
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the node at once, as a power cut would, and waits until it is reaped.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // fails only when it is gone already
	<-p.done
}

// Failure is nil while the node runs; afterwards it tells how it ended and the last that it wrote.
func (p *Process) Failure() error {
	select {
	case <-p.done:
		return fmt.Errorf("node %s ended (%v): %w", p.name, p.cmd.ProcessState, errors.New(p.log.String()))
	default:
		return nil
	}
}

// tail keeps the last bytes that were written to it. Safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - tailBytes; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}
