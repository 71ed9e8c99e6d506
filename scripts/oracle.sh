#!/bin/sh
# Compares every exact solver with brute force on random tiny problems: $1 of them per solver (100000 by default).
# Prints one line per solver; fails at the first disagreement, with its seed.
set -eu
cd "$(dirname "$0")/.."
CLEAVE_ORACLE=${1:-100000} go test -count=1 -timeout 3h -v -run 'AgreesWithBruteForce' ./planner ./planner/workload | grep -E '^(---|ok|FAIL|panic|    )'
