//go:build !cgo

package ort

import (
	"fmt"

	"github.com/cleave-mesh/cleave/split/engine"
)

// New fails: loading a C library needs a build with cgo.
func New(Config) (engine.Backend, error) {
	return nil, fmt.Errorf("%w: this program was built without cgo; build it with CGO_ENABLED=1 and a C compiler", ErrAbsent)
}
