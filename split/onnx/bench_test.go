package onnx

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cleave-mesh/cleave/split"
)

// BenchmarkLoad reads a model of 28 MB, BenchmarkPrepare infers and canonicalises one of 760 ops.
func BenchmarkLoad(b *testing.B) {
	path := shared(b, "use-lite")
	if info, err := os.Stat(path); err == nil {
		b.SetBytes(info.Size())
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(path); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrepare(b *testing.B) {
	g, err := Load(shared(b, "kwt1"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := split.Specialize(g, nil)
		if err == nil {
			_, err = split.Canonicalize(s)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// shared is a model of the shared folder.
func shared(b *testing.B, name string) string {
	dir := os.Getenv("CLEAVE_SHARED")
	if dir == "" {
		b.Skip("CLEAVE_SHARED is not set: it names the folder with models/")
	}
	return filepath.Join(dir, "models", name, "model.onnx")
}
