//go:build unix

package lab

import (
	"fmt"
	"syscall"
)

// freeze halts the process, or lets it go on.
func (p *Process) freeze(halt bool) error {
	sig := syscall.SIGCONT
	if halt {
		sig = syscall.SIGSTOP
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal node %s: %w", p.name, err)
	}
	return nil
}
