package ort_test

import (
	"errors"
	"testing"

	"github.com/cleave-mesh/cleave/split/engine/enginetest"
	"github.com/cleave-mesh/cleave/split/engine/ort"
)

func TestConformance(t *testing.T) {
	b, err := ort.New(ort.Config{})
	if err != nil {
		t.Skip(err)
	}
	enginetest.Run(t, b)
}

func TestAbsent(t *testing.T) {
	if _, err := ort.New(ort.Config{Library: "no/such/library.so"}); !errors.Is(err, ort.ErrAbsent) {
		t.Errorf("got %v", err)
	}
}
