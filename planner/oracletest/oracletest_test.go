package oracletest

import (
	"slices"
	"testing"
)

func TestSeedsAreTheRangeAskedFor(t *testing.T) {
	t.Setenv(CountVariable, "3")
	t.Setenv(StartVariable, "40")
	if got := slices.Collect(Seeds(t, 1000)); !slices.Equal(got, []uint64{40, 41, 42}) {
		t.Errorf("seeds %v", got)
	}
	t.Setenv(CountVariable, "")
	t.Setenv(StartVariable, "")
	want := 20
	if testing.Short() {
		want = 2
	}
	if got := slices.Collect(Seeds(t, 20)); len(got) != want || got[0] != 0 {
		t.Errorf("by default seeds %v", got)
	}
}
