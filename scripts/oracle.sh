#!/bin/bash
# Compares every exact solver with brute force on random tiny problems, half of them on each of two cores.
# oracle.sh [COUNT [FIRST [TEST...]]]: COUNT problems (default 100000) from seed FIRST (default 0), of the tests named (default all).
# Prints one line per solver; fails where one disagreed, with the seed.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-100000} first=${2:-0}
shift $(($# < 2 ? $# : 2))
tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(Sweep Stages ChargedSweep Relaxation Tolerance Reductions Contractions Nearby Chain MinCut Tiers Pipeline Exits Contiguous Latency Division NonContiguous)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -c -o "$dir/planner" ./planner
go test -c -o "$dir/workload" ./planner/workload

half() { # binary, test, first seed, count
	CLEAVE_ORACLE=$4 CLEAVE_ORACLE_START=$3 "$dir/$1" -test.v -test.timeout 3h -test.run "^Test$2(AgreesWith|AgreeWith|Brackets)BruteForce\$"
}

failed=0
for t in "${tests[@]}"; do
	bin=planner
	case $t in Contiguous | Latency | Division | NonContiguous) bin=workload ;; esac
	begin=$SECONDS
	half $bin "$t" "$first" $((count / 2)) >"$dir/a" 2>&1 &
	half $bin "$t" $((first + count / 2)) $((count - count / 2)) >"$dir/b" 2>&1 || true
	wait $! || true
	agreed=$(sed -n 's/.*agreed on \([0-9]*\) problems.*/\1/p' "$dir/a" "$dir/b" | awk '{ n += $1 } END { print n + 0 }')
	if [ "$agreed" -eq "$count" ] && ! grep -q -- '--- FAIL\|panic' "$dir/a" "$dir/b"; then
		echo "$t: agreed with brute force on $agreed problems, seeds $first to $((first + count - 1)), in $((SECONDS - begin)) s"
	else
		echo "$t: DISAGREED or broke off"
		grep -hE '^ *[a-z_]+_test.go|^(--- FAIL|panic|testing:)' "$dir/a" "$dir/b" | head -4 || true
		failed=1
	fi
done
exit $failed
