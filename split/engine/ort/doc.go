// Package ort is the ONNX Runtime backend. It loads the library at run time where it is found; in builds without cgo it
// reports that it is absent.
//
// A stage is handed over as an ONNX model that package onnx encodes. ONNX Runtime optimises it by itself, so that the same
// group may be computed in another way in another stage: a split run agrees with the unsplit one within rounding, not
// bit for bit.
package ort

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// ErrAbsent is wrapped when the library is not found or cannot be loaded.
var ErrAbsent = errors.New("ONNX Runtime is not here")

// LibraryEnv names the environment variable that holds the library's path.
const LibraryEnv = "CLEAVE_ORT_LIB"

// Config configures the backend.
type Config struct {
	// Library is the path of the shared library. Empty means the path that LibraryEnv names, else the first of Paths that
	// exists.
	Library string
}

// Paths are the places where the library is looked for, in order: what scripts/fetch-ort.sh fetches, then the system's
// directories.
func Paths() []string {
	name := map[string]string{"darwin": "libonnxruntime.dylib", "windows": "onnxruntime.dll"}[runtime.GOOS]
	if name == "" {
		name = "libonnxruntime.so.1"
	}
	var dirs []string
	if cache, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(cache, "cleave", "onnxruntime"))
	}
	switch runtime.GOOS {
	case "darwin":
		dirs = append(dirs, "/opt/homebrew/lib", "/usr/local/lib")
	case "linux":
		triple := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
		dirs = append(dirs, "/usr/local/lib", filepath.Join("/usr/lib", triple), "/usr/lib64", "/usr/lib")
	}
	var paths []string
	for _, d := range dirs {
		paths = append(paths, filepath.Join(d, name))
	}
	return paths
}

// find is the library that cfg means; where lists what was tried.
func find(cfg Config) (path string, where []string) {
	for _, p := range []string{cfg.Library, os.Getenv(LibraryEnv)} {
		if p != "" {
			if exists(p) {
				return p, nil
			}
			return "", []string{p}
		}
	}
	for _, p := range Paths() {
		if exists(p) {
			return p, nil
		}
		where = append(where, p)
	}
	return "", where
}

func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
