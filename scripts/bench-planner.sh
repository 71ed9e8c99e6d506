#!/bin/bash
# Prints the planner's figures: benchmark problems, two-way cuts, five nodes, envelope, properties, the shared models over five nodes.
# CLEAVE_SHARED names the folder with planner-benchmarks/ and models/. $1: seconds for each non-contiguous problem (default 60).
# PARTS chooses some of: contiguous latency noncontiguous bench properties models (default all); MODELS some of the shared models.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${CLEAVE_SHARED:?set CLEAVE_SHARED to the folder with planner-benchmarks and models}"
budget=${1:-60}
b=$CLEAVE_SHARED/planner-benchmarks
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/cleave" ./cmd/cleave

workload() { # file, arguments of cleave plan
	local f=$1
	shift
	printf '%-40s %s\n' "$(basename "$(dirname "$f")")/$(basename "$f" .json)" \
		"$("$dir/cleave" plan --workload "$f" "$@" 2>&1 | grep '^objective' || echo "not planned")"
}

contiguous() {
	echo "== contiguous throughput: objective, bound, gap, seconds"
	for f in "$b"/throughput-inputs/*/*.json; do workload "$f" --objective throughput; done
}

latency() {
	echo "== latency"
	for f in "$b"/latency-inputs/*/*.json; do workload "$f" --objective latency; done
}

noncontiguous() {
	echo "== non-contiguous throughput, at most $budget s each"
	for f in "$b"/throughput-inputs/*/*.json; do workload "$f" --objective throughput --non-contiguous --budget "${budget}s"; done
}

bench() {
	echo "== cuts of 2,000 pieces, two-way and over five tiers; made-up graphs over five nodes, at most 10 s each; energy of the shared models, made-up times; envelope"
	go test -run '^$' -bench 'TwoWay2000|Tiers2000|FiveNodes500' -benchtime 3x ./planner | grep ^Benchmark
	go test -run '^$' -bench 'ModelsEnergy' -benchtime 1x ./planner | grep ^Benchmark
	go test -run '^$' -bench 'EnvelopeLookup' ./planner | grep ^Benchmark
}

properties() {
	echo "== properties: published results, monotone plans, refusals by name, infeasible problems"
	go test -count=1 -v ./planner ./planner/workload ./node/control >"$dir/tests" || true
	grep -E '^(--- FAIL|ok|FAIL|panic)' "$dir/tests"
	echo "$(grep -c '^--- PASS' "$dir/tests") tests pass"
}

models() {
	echo "== the shared models over five nodes, at most 10 s each"
	printf '%-22s %6s  %12s %7s %10s %10s\n' model pieces latency gap "first plan" seconds
	for m in "$CLEAVE_SHARED"/models/*/model.onnx; do
		local name
		name=$(basename "$(dirname "$m")")
		[[ " ${MODELS:-$name} " == *" $name "* ]] || continue
		set --
		# Its test data are for one branch of its If, the made-up rate takes the other.
		[ "$name" = silero-vad ] && set -- --shape input=1x256
		if "$dir/cleave" plan "$m" --topology planner/testdata/five.yaml --splits off --budget 10s --json "$@" >"$dir/out" 2>"$dir/err"; then
			printf '%-22s ' "$name"
			row <"$dir/out"
		else
			echo "$name $(grep -m1 '^cleave:' "$dir/err" || echo "not planned")"
		fi
	done
}

# row prints the figures of one plan from its JSON.
row() {
	tr -d '\n' | sed -E 's/[[:space:]]+/ /g' >"$dir/flat"
	number() { grep -oE "\"$1\": ?[0-9.e+-]+" "$dir/flat" | head -1 | grep -oE '[0-9.e+-]+$' || echo 0; }
	local pieces
	pieces=$(grep -oE '"pieces": ?[0-9]+' "$dir/flat" | grep -oE '[0-9]+$' | awk '{ n += $1 } END { print n + 0 }')
	awk -v p="$pieces" -v o="$(number latency_ms)" -v g="$(number gap)" -v f="$(number first_plan_seconds)" -v s="$(number seconds)" \
		'BEGIN { printf "%6d  %9.3f ms %5.1f %% %8.3f s %8.3f s\n", p, o, 100 * g, f, s }'
}

for part in ${PARTS:-contiguous latency noncontiguous bench properties models}; do
	case $part in
	contiguous | latency | noncontiguous | bench | properties | models) $part ;;
	*) echo "there is no part $part" >&2 && exit 1 ;;
	esac
done
