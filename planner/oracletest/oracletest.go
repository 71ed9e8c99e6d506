// Package oracletest says which random problems a test compares with brute force: a few by default, any range of seeds where the
// environment asks for it.
package oracletest

import (
	"iter"
	"os"
	"strconv"
	"testing"
)

// Environment variables that scripts/oracle.sh sets: how many problems each test draws, and the first seed (0 when unset).
const (
	CountVariable = "CLEAVE_ORACLE"
	StartVariable = "CLEAVE_ORACLE_START"
)

// Seeds are the seeds to draw problems from: quick of them by default, a tenth of that with -short. When the last one has been dealt with
// and the test has not failed, it logs how many problems agreed, in the words that scripts/oracle.sh looks for.
func Seeds(t testing.TB, quick int) iter.Seq[uint64] {
	t.Helper()
	if testing.Short() {
		quick /= 10
	}
	first, count := number(t, StartVariable, 0), number(t, CountVariable, uint64(quick))
	return func(yield func(uint64) bool) {
		for seed := first; seed < first+count; seed++ {
			if !yield(seed) {
				return
			}
		}
		if !t.Failed() && count > 0 {
			t.Logf("agreed on %d problems, seeds %d to %d", count, first, first+count-1)
		}
	}
}

func number(t testing.TB, variable string, otherwise uint64) uint64 {
	t.Helper()
	s := os.Getenv(variable)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
