// Command checkcuts runs models uncut and at every legal two-way cut and compares the outputs bit for bit.
//
//	go run ./scripts/checkcuts DIR...
//
// Each DIR is a folder with model.onnx and test_data_set_0, or holds such folders. It prints a line a model and the totals,
// and fails when an output differs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cleave-mesh/cleave/internal/tensor"
	"github.com/cleave-mesh/cleave/split/engine"
	"github.com/cleave-mesh/cleave/split/engine/backends"
	"github.com/cleave-mesh/cleave/split/engine/native"
	"github.com/cleave-mesh/cleave/split/engine/suite"
	"github.com/cleave-mesh/cleave/split/onnx"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: checkcuts DIR...")
		os.Exit(2)
	}
	var models, cuts, unequal, skipped int
	for _, dir := range os.Args[1:] {
		cases, err := suite.Find(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "checkcuts:", err)
			os.Exit(1)
		}
		for _, c := range cases {
			start := time.Now()
			n, ran, err := check(c)
			switch {
			case !ran:
				skipped++
				fmt.Printf("skip  %s: %v\n", c.Name, err)
				continue
			case err != nil:
				unequal++
				fmt.Printf("FAIL  %s: %v\n", c.Name, err)
			default:
				fmt.Printf("equal %s: %d cuts, %v\n", c.Name, n, time.Since(start).Round(time.Millisecond))
			}
			models, cuts = models+1, cuts+n
		}
	}
	fmt.Printf("%d models, %d cuts, %d models differ, %d cannot run\n", models, cuts, unequal, skipped)
	if unequal > 0 {
		os.Exit(1)
	}
}

// check compares one case's cuts; ran is false when the model does not run even uncut.
func check(c suite.Case) (cuts int, ran bool, err error) {
	g, err := onnx.Load(filepath.Join(c.Dir, "model.onnx"))
	if err != nil {
		return 0, false, err
	}
	sets, err := suite.Sets(c, g)
	if err != nil || len(sets) == 0 {
		return 0, false, fmt.Errorf("no data set: %w", err)
	}
	shapes := map[string]tensor.Shape{}
	for i, id := range g.Inputs {
		if t, ok := sets[0].In[i].(*tensor.Tensor); ok {
			shapes[g.Values[id].Name] = t.Shape()
		}
	}
	ready, err := backends.Prepare(g, shapes)
	if err != nil {
		return 0, false, err
	}
	ctx, b := context.Background(), native.New(native.Config{})
	exe, err := b.Compile(ctx, ready, engine.Options{})
	if err != nil {
		return 0, false, err
	}
	_, err = exe.Run(ctx, sets[0].In)
	if closed := exe.Close(); err != nil || closed != nil {
		return 0, false, err
	}
	cuts, err = suite.CheckCuts(ctx, b, ready, sets[0].In, engine.Options{})
	return cuts, true, err
}
