// Package engine turns a stage into something that runs.
//
// A Backend compiles a graph of concrete shapes into an Executable; package native is the embedded one, package ort is
// ONNX Runtime where the host has it. Package enginetest holds every backend to the same behaviour.
package engine

import (
	"context"
	"errors"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split"
)

var (
	// ErrUnsupported is wrapped when a backend has no implementation of an op, type or attribute; the error names the op.
	ErrUnsupported = errors.New("unsupported")
	// ErrMemory is wrapped when a stage needs more memory than Options.MemoryLimit; the error names both figures.
	ErrMemory = errors.New("memory limit")
)

// Backend compiles graphs. It is safe for concurrent use.
type Backend interface {
	// Name is "native" or "ort".
	Name() string
	// Version changes whenever compiled code may run at a different speed or round differently; profiles carry it.
	Version() string
	// Compile prepares a canonical graph whose input shapes are known (or, for a graph with dynamic shapes, leaves sizes to
	// the first Run). It keeps g. It blocks for as long as packing weights takes.
	Compile(ctx context.Context, g *split.Graph, opts Options) (Executable, error)
}

// Options say how a stage is compiled.
type Options struct {
	// Threads is the number of cores a Run may use; 0 means every core of the process's pool.
	Threads int
	// MemoryLimit is the most bytes of weights and activations that the stage may hold; 0 means no limit.
	MemoryLimit int64
}

// Executable is a compiled graph. One Run at a time: callers that want more compile more, or take turns.
type Executable interface {
	// Run computes the graph. in is parallel to the graph's Inputs and is only read; the outputs are parallel to its
	// Outputs, belong to the Executable and are valid until the next Run or Close. A cancelled ctx ends it between ops.
	Run(ctx context.Context, in []tensor.Value) ([]tensor.Value, error)
	// Memory is the bytes that the stage holds while it runs: packed weights and activation arena.
	Memory() Memory
	// Close frees what the Executable holds; no Run may be under way.
	Close() error
}

// Memory is what an executable holds while it runs, in bytes; it is known when it is compiled, before the first run. Reading
// and compiling take more for a moment.
type Memory struct {
	Weights     int64 // packed weights, and constants that are used as they are and are not Mapped
	Activations int64 // arenas, those of subgraphs included
	Scratch     int64 // working memory of kernels and the program itself
	// Mapped is constants that are used where they lie in the model's file. Their pages come when they are read and go when the
	// system needs memory, so that Total and Options.MemoryLimit do not count them.
	Mapped int64
}

// Total is what cannot be taken back: all but Mapped.
func (m Memory) Total() int64 { return m.Weights + m.Activations + m.Scratch }

// GroupTimer is implemented by Executables that can time each group of a run.
type GroupTimer interface {
	// RunTimed is Run that also adds each group's seconds to seconds, which is parallel to the graph's Groups.
	RunTimed(ctx context.Context, in []tensor.Value, seconds []float64) ([]tensor.Value, error)
}
