//go:build !unix

package lab

import "fmt"

// freeze cannot halt a process here.
func (p *Process) freeze(bool) error {
	return fmt.Errorf("freeze node %s: this system has no signal for it: simulate it", p.name)
}
