#!/bin/sh
# Prints the figures of docs/performance.md about transport and gossip: protocol in virtual time, the rest in real time on this machine,
# which is to do nothing else then. PARTS="goodput cold ..." limits it to parts; by default all run but the last two, which take long:
#   goodput cold paths rotate nats handshakes loopback gossip crowd idle sockets / lossy hour
# It goes on after a part that failed, and ends with their names and exit code 1.
set -u
cd "$(dirname "$0")/.."
export LC_ALL=C
failed=
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# part NAME PATTERN COMMAND...: runs the command when the part is asked for, and prints the lines of its output that match.
part() {
	name=$1 pattern=$2
	shift 2
	case " ${PARTS:-goodput cold paths rotate nats handshakes loopback gossip crowd idle sockets} " in *" $name "*) ;; *) return ;; esac
	echo "== $name: $*"
	code=0
	"$@" >"$log" 2>&1 || code=$?
	if ! grep -E "$pattern" "$log" || [ $code -ne 0 ]; then
		echo "FAILED with code $code:"
		grep -E 'FAIL|aim|_test.go|panic|rror' "$log" | head -20
		failed="$failed $name"
	fi
}

# idle prints the CPU time of three idle nodes, each a process, in percent of a core per node.
idle() {
	dir=$(mktemp -d)
	go build -o "$dir/cleave" ./cmd/cleave || return 1
	"$dir/cleave" node --init --data "$dir/0" --name n0 --listen 127.0.0.1:0 --api off 2>"$dir/log0" &
	pids=$!
	sleep 3
	for i in 1 2; do
		token=$("$dir/cleave" token --data "$dir/0") || { kill $pids; return 1; }
		"$dir/cleave" node --join "$token" --data "$dir/$i" --name "n$i" --listen 127.0.0.1:0 --api off 2>"$dir/log$i" &
		pids="$pids $!"
	done
	sleep 10
	for p in $pids; do awk '{print $14 + $15}' "/proc/$p/stat"; done >"$dir/before"
	sleep 30
	for p in $pids; do awk '{print $14 + $15}' "/proc/$p/stat"; done >"$dir/after"
	paste "$dir/before" "$dir/after" | awk -v hz="$(getconf CLK_TCK)" '{printf "idle node %d: %.2f %% of a core\n", NR, ($2 - $1) / hz / 30 * 100}'
	kill $pids
	wait
	n=$(wc -l <"$dir/after")
	rm -rf "$dir"
	[ "$n" -eq 3 ]
}

test='_test.go:'
part goodput '[0-9]+ Mbps ' env CLEAVE_SWEEP=1 go test ./transport -count=1 -run 'TestGoodput$' -v -timeout 30m
part cold '[0-9]+ Mbps ' env CLEAVE_SWEEP=1 go test ./transport -count=1 -run 'TestCold$' -v -timeout 10m
part paths $test go test ./transport -count=1 -run 'TestPathFollowsChange|TestProbe|TestUrgent|TestFrozenPeer|TestSessionSurvivesMove' -v
part rotate $test go test ./node/member -count=1 -run 'TestRotate$' -v
part nats "$test|SKIP" go test ./transport -count=1 -run 'TestNATs' -v
part handshakes $test env CLEAVE_SWEEP=1 go test ./transport -count=1 -run 'TestNoiseAndHalfOpen' -v
part loopback '^Benchmark' go test ./transport -run '^$' -bench 'Loopback|TensorCount|Hop' -benchtime 3s -count 3
for n in 10 100; do
	part gossip 'nodes:|not everywhere' env CLEAVE_NODES=$n go test ./node/member -count=1 -run 'TestHundredNodes' -v -timeout 30m
done
part crowd $test env CLEAVE_SWEEP=1 go test ./node/member -count=1 -run 'TestGossipBytes|TestNoFalseDeathInACrowd' -v -timeout 30m
part idle '^idle node' idle
part sockets '^Benchmark' go test ./transport -run '^$' -bench 'Goodput/loss=0%' -benchtime 1x -timeout 30m
part lossy '^Benchmark' go test ./transport -run '^$' -bench 'Goodput/loss=(0.1|1)%' -benchtime 1x -timeout 3h
part hour $test env CLEAVE_NODES=100 CLEAVE_SWEEP=1 go test ./node/member -count=1 -run 'TestNoFalseDeath$' -v -timeout 3h

if [ -n "$failed" ]; then
	echo "failed:$failed"
	exit 1
fi
