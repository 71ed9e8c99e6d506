package suite

import (
	"testing"

	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/native"
)

// TestSharedAllocs: a run of a shared model allocates nothing once memory is there. The largest one, of kinds of ops that others
// have too, is left out for its time.
func TestSharedAllocs(t *testing.T) {
	for _, c := range sharedModels(t) {
		if c.Name == "light-vgg19" {
			continue
		}
		g, set, err := ready(c)
		if err != nil {
			t.Fatal(err)
		}
		exe, err := native.New(native.Config{}).Compile(t.Context(), g, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		run := func() {
			if _, err := exe.Run(t.Context(), set.In); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(2, run); n != 0 {
			t.Errorf("%s: %g allocations per run", c.Name, n)
		}
		if err := exe.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
