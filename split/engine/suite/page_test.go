package suite

import (
	"strings"
	"testing"
)

func TestWritePage(t *testing.T) {
	var b strings.Builder
	err := WritePage(&b, []Result{
		{Name: "node/test_add", Ops: []string{"Add"}, Pass: true},
		{Name: "node/test_bernoulli", Ops: []string{"Bernoulli"}, Error: "1 of 2 elements differ"},
		{Name: "node/test_new", Ops: []string{"Add"}, Error: "boom"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1 of 3 cases pass.", "| Add | 1 | 1 |", "| Bernoulli | 0 | 1 |", "- Conv\n",
		"- `test_bernoulli`: the expected output is a draw", "- `test_new`: boom",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
}
