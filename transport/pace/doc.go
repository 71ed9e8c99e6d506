// Package pace spaces the packets that QUIC sends in bursts, where bursts are what a path loses, and reads no faster than QUIC takes
// packets in.
//
// quic-go sends up to ten packets at once. A bottleneck whose queue is shorter drops most of them, and its congestion control
// then halves a rate that the path would have carried. Pacer decides, from what one connection sent and lost, whether its packets are to
// be spaced, and at which rate: the most that was delivered lately, with short probes above it (the windowed maximum and the
// probing are those of BBR: Cardwell et al., ACM Queue 14(5), 2016). Conn is the socket that holds packets back: the goroutine
// that writes waits, so that QUIC itself sees a slow socket and never a lost packet. A queue that holds far more than a burst is no such
// bottleneck, whatever slow start loses there.
//
// quic-go also drops what comes when a connection has 256 packets that it has not processed, as happens to a process that waited a
// few milliseconds for its processor while 500 Mbps arrived, and the sender takes that for congestion. Conn lets them wait in the system's buffer
// instead, which holds thousands.
package pace
