package lan

import (
	"fmt"
	"net"

	"golang.org/x/net/ipv4"
)

// listen joins the group on one interface, with a socket that several processes share and that sends on that interface too.
func listen(i *net.Interface) (*net.UDPConn, error) {
	c, err := net.ListenMulticastUDP("udp4", i, group)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", i.Name, err)
	}
	p := ipv4.NewPacketConn(c)
	if err := p.SetMulticastInterface(i); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("interface %s: %w", i.Name, err)
	}
	// Other nodes on this machine must hear it; mDNS asks for a time to live of 255.
	if err := p.SetMulticastLoopback(true); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("interface %s: %w", i.Name, err)
	}
	if err := p.SetMulticastTTL(255); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("interface %s: %w", i.Name, err)
	}
	return c, nil
}
