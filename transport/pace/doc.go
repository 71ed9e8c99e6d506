// Package pace spaces the packets that QUIC sends in bursts, where bursts are what a path loses.
//
// quic-go sends up to ten packets at once. A bottleneck whose queue is shorter drops most of them, and its congestion control
// then halves a rate that the path would have carried. Pacer decides, from what one connection sent and lost, whether its packets are to
// be spaced, and at which rate: the most that was delivered lately, with short probes above it (the windowed maximum and the
// probing are those of BBR: Cardwell et al., ACM Queue 14(5), 2016). Conn is the socket that holds packets back: the goroutine
// that writes waits, so that QUIC itself sees a slow socket and never a lost packet.
package pace
