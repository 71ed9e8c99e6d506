#!/bin/sh
# Prints the figures of docs/performance.md about transport and gossip: goodput on shaped paths and convergence of gossip in
# virtual time, then loopback, hops and shaped sockets in real time on this machine. "quick" leaves out the shaped sockets,
# "all" adds what takes minutes: the hour of 100 nodes over real QUIC connections in virtual time, and gossip's bytes of 1,000 nodes.
set -eu
cd "$(dirname "$0")/.."

echo "== goodput on shaped paths, virtual time (share of the configured rate; queue of one bandwidth-delay product)"
CLEAVE_SWEEP=1 go test ./transport -count=1 -run 'TestGoodput$' -v -timeout 30m | grep -o '[0-9]* Mbps .*' || true

echo "== paths, probes, urgency, frozen peers"
go test ./transport -count=1 -run 'TestPathFollowsChange|TestProbe|TestUrgent|TestFrozenPeer' -v | grep -E '_test.go:' || true

echo "== the authority changes its key (virtual time)"
go test ./node/member -count=1 -run 'TestRotate$' -v | grep -E '_test.go:' || true

echo "== address translators (needs root, ip and iptables)"
go test ./transport -count=1 -run 'TestNATs' -v | grep -E '_test.go:|SKIP' || true

echo "== 10,000 half-open handshakes"
CLEAVE_SWEEP=1 go test ./transport -count=1 -run 'TestNoiseAndHalfOpen' -v | grep -E '_test.go:' || true

echo "== loopback against plain quic-go, and one hop"
go test ./transport -run '^$' -bench 'Loopback|PlainQUIC|Hop' -benchtime 3s -count 3 | grep '^Benchmark'

for n in 10 100; do
	echo "== gossip of $n nodes, virtual time, 1 % loss"
	CLEAVE_NODES=$n go test ./node/member -count=1 -run 'TestHundredNodes|TestQuietBytes' -v -timeout 30m | grep -E 'nodes:|not everywhere' || true
done

echo "== gossip's bytes by the size of the mesh (packets in memory, not QUIC)"
CLEAVE_SWEEP=1 go test ./node/member -count=1 -run 'TestGossipBytes' -v -timeout 30m | grep -E '_test.go:' || true

if [ "${1:-}" != quick ]; then
	echo "== shaped sockets, real time"
	go test ./transport -run '^$' -bench 'Goodput/loss=0%' -benchtime 1x -timeout 30m | grep '^Benchmark'
fi
if [ "${1:-}" = all ]; then
	echo "== 100 nodes for an hour of virtual time at 1 % loss, over QUIC"
	CLEAVE_NODES=100 CLEAVE_SPAN=1h go test ./node/member -count=1 -run 'TestNoFalseDeath$' -v -timeout 3h | grep -E '_test.go:' || true
	echo "== gossip's bytes of 1,000 nodes (packets in memory, not QUIC)"
	CLEAVE_HUGE=1 go test ./node/member -count=1 -run 'TestGossipBytes' -v -timeout 30m | grep -E '_test.go:' || true
fi
