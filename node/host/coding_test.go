package host

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

func TestCodedTakesTheLeastTimeEverSeen(t *testing.T) {
	h, err := New(Config{Backends: []engine.Backend{native.New(native.Config{})}, Speed: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			work CodecWork
			real time.Duration
			rest time.Duration // that the emulated machine still needs after real
		}{
			{CodecWork{Codec: "int8", Bytes: 100}, 2 * time.Millisecond, 18 * time.Millisecond},
			{CodecWork{Codec: "int8", Bytes: 100}, time.Millisecond, 9 * time.Millisecond},
			{CodecWork{Codec: "int8", Bytes: 100}, 4 * time.Millisecond, 6 * time.Millisecond}, // disturbed: 10 ms after all
			{CodecWork{Codec: "int8", Bytes: 100}, 30 * time.Millisecond, 0},
			{CodecWork{Codec: "int8", Bytes: 100, Decode: true}, 4 * time.Millisecond, 36 * time.Millisecond},
		} {
			begin := time.Now()
			if err := h.Coded(t.Context(), c.work, c.real); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != c.rest {
				t.Errorf("%+v after %v: waited %v, want %v", c.work, c.real, took, c.rest)
			}
		}
	})
}
