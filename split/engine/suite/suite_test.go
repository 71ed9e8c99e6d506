package suite

import (
	"context"
	"os"
	"testing"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

func TestTry(t *testing.T) {
	cases, err := Find(os.Getenv("TRY"))
	if err != nil {
		t.Skip(err)
	}
	n := 0
	for _, c := range cases {
		r := Run(context.Background(), native.New(native.Config{Reference: os.Getenv("REF") != ""}), c, engine.Options{})
		if !r.Pass {
			t.Log(r.Name, r.Error)
		} else {
			n++
		}
	}
	t.Log(n, "of", len(cases))
}
