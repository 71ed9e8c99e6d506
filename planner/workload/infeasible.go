package workload

import (
	"fmt"
	"math"
)

// whyInfeasible names the constraint that no placement meets.
func (w *Workload) whyInfeasible() error {
	need := 0.0
	for _, op := range w.Ops {
		if w.CPUs == 0 && math.IsInf(op.Accelerator, 1) {
			return fmt.Errorf("%w: node %d runs on CPUs only and there are none", ErrInfeasible, op.ID)
		}
		need += op.Size
	}
	if have := w.Memory * float64(w.Accelerators); w.CPUs == 0 && need > have {
		return fmt.Errorf("%w: memory of %d accelerators: needs %g bytes, has %g", ErrInfeasible, w.Accelerators, need, have)
	}
	return fmt.Errorf("%w: memory of each accelerator (%g bytes) and the classes together", ErrInfeasible, w.Memory)
}
