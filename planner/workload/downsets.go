package workload

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
)

// MaxDownsets is the most downsets that are listed; a workload with more is answered from a part of them, with a bound.
const MaxDownsets = 4 << 20

var errTooMany = errors.New("too many downsets")

// lattice is a set of downsets of a graph of blocks, the smaller first, with the steps that add one block.
type lattice struct {
	g     *graph
	words int
	bits  []uint64 // words per downset
	steps [][]step // of each downset
	// complete says that every downset of the graph is here.
	complete bool
}

// step adds one block to a downset.
type step struct{ block, to int32 }

func (l *lattice) size() int        { return len(l.bits) / l.words }
func (l *lattice) at(k int) set     { return set(l.bits[k*l.words : (k+1)*l.words]) }
func (l *lattice) last() int        { return l.size() - 1 }
func (l *lattice) key(s set) string { return string(appendSet(nil, s)) }
func appendSet(b []byte, s set) []byte {
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// downsets lists every downset of g, breadth first, or fails with errTooMany or the context's error.
func (g *graph) downsets(ctx context.Context, most int) (*lattice, error) {
	l := &lattice{g: g, words: len(newSet(len(g.blocks))), complete: true}
	l.words = max(l.words, 1)
	l.bits = append(l.bits, make([]uint64, l.words)...)
	index := map[string]int32{l.key(l.at(0)): 0}
	next := make(set, l.words)
	var buf []byte
	for k := 0; k < l.size(); k++ {
		if k&0xfff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var steps []step
		for b := range g.blocks {
			s := l.at(k)
			if s.has(b) || !g.opens(s, b) {
				continue
			}
			copy(next, s)
			next.add(b)
			buf = appendSet(buf[:0], next)
			to, ok := index[string(buf)]
			if !ok {
				if l.size() >= most {
					return nil, errTooMany
				}
				to = int32(l.size())
				index[string(buf)] = to
				l.bits = append(l.bits, next...)
			}
			steps = append(steps, step{int32(b), to})
		}
		l.steps = append(l.steps, steps)
	}
	return l, nil
}

// opens reports whether b can be added to downset s.
func (g *graph) opens(s set, b int) bool {
	for _, p := range g.blocks[b].preds {
		if !s.has(p) {
			return false
		}
	}
	return true
}

// prefixes is the lattice of the prefixes of several topological orders.
func (g *graph) prefixes(orders [][]int) *lattice {
	l := &lattice{g: g, words: max(1, len(newSet(len(g.blocks))))}
	type found struct {
		s   set
		n   int
		key string
	}
	index := map[string]int{}
	var all []found
	note := func(s set, n int) int {
		key := l.key(s)
		k, ok := index[key]
		if !ok {
			k = len(all)
			index[key] = k
			all = append(all, found{slices.Clone(s), n, key})
		}
		return k
	}
	type edge struct{ from, block, to int }
	edges := map[edge]bool{}
	for _, order := range orders {
		s := make(set, l.words)
		at := note(s, 0)
		for n, b := range order {
			s.add(b)
			to := note(s, n+1)
			edges[edge{at, b, to}] = true
			at = to
		}
	}
	rank := make([]int, len(all))
	sorted := make([]int, len(all))
	for k := range sorted {
		sorted[k] = k
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return all[a].n - all[b].n })
	for to, from := range sorted {
		rank[from] = to
		l.bits = append(l.bits, all[from].s...)
	}
	l.steps = make([][]step, len(all))
	for e := range edges {
		l.steps[rank[e.from]] = append(l.steps[rank[e.from]], step{int32(e.block), int32(rank[e.to])})
	}
	for _, s := range l.steps {
		slices.SortFunc(s, func(a, b step) int { return int(a.block) - int(b.block) })
	}
	return l
}
