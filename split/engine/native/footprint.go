package native

import (
	"unsafe"

	"github.com/cleave-mesh/cleave/split"
)

// arenas is the bytes of the program's arena and of those of the ops' subgraphs.
func (p *program) arenas() int64 {
	n := int64(p.arenaSize)
	for _, b := range p.bodies {
		n += b.arenas()
	}
	return n
}

// Sizes of what a program itself consists of, in bytes.
const (
	slotBytes = int64(unsafe.Sizeof(slot{}))
	// valueBytes is a value of the graph, its name, shape and readers, and its tensor in the arena.
	valueBytes = int64(unsafe.Sizeof(split.Value{})) + 200
	// stepBytes is a step with its task.
	stepBytes = 400
	// scratchBytes is the working memory that kernels of one goroutine grow to for usual models.
	scratchBytes = 48 << 10
)

// tabled is implemented by steps that hold tables that grow with their tensors.
type tabled interface {
	tables() int // bytes
}

func (s *rowsStep) tables() int { return 4 * cap(s.from) }

func (s *rowPairs) tables() int { return 4 * (cap(s.at[0]) + cap(s.at[1])) }

func (s *broadcastStep) tables() int { return s.rowPairs.tables() + 4*cap(s.repeated) }

func (s *padStep) tables() int { return 4 * (cap(s.from) + cap(s.cells)) }

func (s *scatterStep) tables() int { return 8 * cap(s.to) }

func (s *matmulStep) tables() int {
	return 8 * (cap(s.task.AOffset) + cap(s.task.BOffset) + cap(s.task.COffset))
}

// overhead is the bytes of the program itself: graph, steps, slots and tables; and the working memory of kernels.
func (p *program) overhead() int64 {
	n := int64(len(p.slots))*slotBytes + int64(len(p.g.Values))*valueBytes + int64(len(p.steps))*stepBytes
	for _, s := range p.steps {
		if t, ok := s.(tabled); ok {
			n += int64(t.tables())
		}
	}
	for _, b := range p.bodies {
		n += b.overhead()
	}
	return n
}

// scratch is the working memory of the kernels of every goroutine that a run uses.
func (e *executable) scratch() int64 { return int64(e.parallel.Threads()) * scratchBytes }
