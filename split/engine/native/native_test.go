package native_test

import (
	"testing"

	"github.com/cleave-mesh/cleave/split/engine/enginetest"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, native.New(native.Config{}))
}

func TestReferenceConformance(t *testing.T) {
	enginetest.Run(t, native.New(native.Config{Reference: true}))
}
