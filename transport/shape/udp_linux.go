package shape

import (
	"bytes"
	"encoding/binary"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// maxSegments and maxGSO bound what one sendmsg may carry.
	maxSegments = 32
	maxGSO      = 60 << 10
)

// udpConn is a shaped UDP socket that keeps what QUIC uses of Linux: batched reads, control messages (ECN, source address), and
// segmentation offload, which also makes sending the shaped packets cheap.
type udpConn struct {
	*Conn
	udp   *net.UDPConn
	batch *ipv4.PacketConn
	noGSO bool // owned by the delivering goroutine
	buf   []byte
	oob   []byte
}

// wrapUDP gives a Conn over a UDP socket the methods that QUIC looks for.
func wrapUDP(c *Conn) net.PacketConn {
	udp, ok := c.PacketConn.(*net.UDPConn)
	if !ok {
		return c
	}
	u := &udpConn{Conn: c, udp: udp, batch: ipv4.NewPacketConn(udp)}
	c.flush = u.write
	return u
}

// SyscallConn is that of the socket below.
func (u *udpConn) SyscallConn() (syscall.RawConn, error) { return u.udp.SyscallConn() }

// ReadBatch reads several packets at once.
func (u *udpConn) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	return u.batch.ReadBatch(ms, flags)
}

// ReadMsgUDP is that of the socket below.
func (u *udpConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	return u.udp.ReadMsgUDP(b, oob)
}

// WriteMsgUDP hands one packet, or the segments of one buffer, to the link.
func (u *udpConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (int, int, error) {
	select {
	case <-u.done:
		return 0, 0, net.ErrClosed
	default:
	}
	segment, rest := splitSegmentSize(oob)
	direct, err := u.shaper.send(b, rest, segment, addr)
	if err != nil {
		return 0, 0, err
	}
	if direct {
		return u.udp.WriteMsgUDP(b, oob, addr)
	}
	return len(b), len(oob), nil
}

// splitSegmentSize takes the UDP_SEGMENT message out of control messages.
func splitSegmentSize(oob []byte) (size int, rest []byte) {
	for at := 0; at < len(oob); {
		hdr, data, remainder, err := unix.ParseOneSocketControlMessage(oob[at:])
		if err != nil {
			return 0, oob
		}
		next := len(oob) - len(remainder)
		if hdr.Level == unix.IPPROTO_UDP && hdr.Type == unix.UDP_SEGMENT && len(data) >= 2 {
			size = int(binary.NativeEndian.Uint16(data))
			return size, append(append([]byte(nil), oob[:at]...), oob[next:]...)
		}
		at = next
	}
	return 0, oob
}

// SegmentSize is the size in bytes of the segments into which the system is asked to cut a buffer, by the control messages beside it; 0
// when it is not.
func SegmentSize(oob []byte) int {
	size, _ := splitSegmentSize(oob)
	return size
}

func appendSegmentSize(oob []byte, size int) []byte {
	at := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(2))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[at]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[at+unix.CmsgLen(0):], uint16(size))
	return oob
}

// write sends due packets, joining those that one sendmsg can carry: same destination and control messages, equal sizes but
// for the last.
func (u *udpConn) write(batch []delivery) {
	for len(batch) > 0 {
		n := u.run(batch)
		u.sendRun(batch[:n])
		batch = batch[n:]
	}
}

// run is how many packets from the front go together.
func (u *udpConn) run(batch []delivery) int {
	if u.noGSO {
		return 1
	}
	first, total := &batch[0], len(batch[0].b)
	for n := 1; n < len(batch) && n < maxSegments; n++ {
		d := &batch[n]
		total += len(d.b)
		if d.to != first.to && d.to.String() != first.to.String() || !bytes.Equal(d.oob, first.oob) ||
			len(d.b) > len(first.b) || total > maxGSO {
			return n
		}
		if len(d.b) < len(first.b) {
			return n + 1
		}
	}
	return min(len(batch), maxSegments)
}

// sendRun sends packets that go together. Packets that the system refuses are lost packets.
func (u *udpConn) sendRun(batch []delivery) {
	to, ok := batch[0].to.(*net.UDPAddr)
	if !ok {
		u.writeEach(batch)
		return
	}
	if len(batch) > 1 {
		u.buf = u.buf[:0]
		for i := range batch {
			u.buf = append(u.buf, batch[i].b...)
		}
		u.oob = appendSegmentSize(append(u.oob[:0], batch[0].oob...), len(batch[0].b))
		if _, _, err := u.udp.WriteMsgUDP(u.buf, u.oob, to); err == nil {
			return
		}
		u.noGSO = true // this system or device cannot: send them one by one from now on
	}
	for i := range batch {
		_, _, _ = u.udp.WriteMsgUDP(batch[i].b, batch[i].oob, to)
	}
}
