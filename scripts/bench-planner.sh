#!/bin/sh
# Prints every figure of the planner: benchmark problems, two-way cuts, five nodes, envelope, models over the demo's topology.
# CLEAVE_SHARED names the folder with planner-benchmarks/ and models/. $1: seconds for each non-contiguous problem (default 60).
set -eu
cd "$(dirname "$0")/.."
: "${CLEAVE_SHARED:?set CLEAVE_SHARED to the folder with planner-benchmarks and models}"
budget=${1:-60}
bin=$(mktemp -d)/cleave
go build -o "$bin" ./cmd/cleave
b=$CLEAVE_SHARED/planner-benchmarks
echo "== contiguous throughput"
for f in "$b"/throughput-inputs/*/*.json; do "$bin" plan --workload "$f" --objective throughput | grep -v '^dynamic'; done
echo "== latency"
for f in "$b"/latency-inputs/*/*.json; do "$bin" plan --workload "$f" --objective latency | grep -v '^dynamic\|^labels'; done
echo "== non-contiguous throughput, at most $budget s each"
for f in "$b"/throughput-inputs/*/*.json; do
	"$bin" plan --workload "$f" --objective throughput --non-contiguous --budget "${budget}s" | grep -v '^simulated'
done
echo "== two-way cut of 2,000 pieces; five nodes; envelope"
go test -run '^$' -bench 'TwoWay2000|FiveNodes500|EnvelopeLookup' -benchtime 3x ./planner | grep Benchmark
go test -run '^$' -bench 'EnvelopeLookup' ./planner | grep Benchmark
echo "== properties: published results, monotone plans, refusals by name, infeasible problems"
go test -count=1 -v -run 'Test' ./planner ./planner/workload ./node/control | grep -E '^(--- |ok|FAIL|panic)'
echo "== the shared models over five nodes, at most 10 s each: objective, gap, time"
for m in "$CLEAVE_SHARED"/models/*/model.onnx; do
	name=$(basename "$(dirname "$m")")
	set --
	# Its test data are for one branch of its If, the made-up rate takes the other.
	[ "$name" = silero-vad ] && set -- --shape input=1x256
	echo "$name $("$bin" plan "$m" --topology planner/testdata/five.yaml --budget 10s "$@" 2>&1 >"$bin.out" | grep '^cleave:' || grep -m1 '^latency' "$bin.out")"
done
