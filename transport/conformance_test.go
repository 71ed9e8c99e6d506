package transport_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/shape"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// TestConformance holds three networks to the same suite: loopback sockets, shaped sockets, and a network in memory in virtual time.
func TestConformance(t *testing.T) {
	link := shape.Link{Rate: 100e6, Delay: 2 * time.Millisecond, Loss: 0.002}
	realTime := func(t *testing.T, test func(*testing.T)) { test(t) }
	t.Run("loopback", func(t *testing.T) {
		transporttest.Conformance(t, realTime, func(tb testing.TB, config func(int, *transport.Config)) *transporttest.Mesh {
			return transporttest.New(tb, 2, config)
		})
	})
	t.Run("shaped", func(t *testing.T) {
		transporttest.Conformance(t, realTime, func(tb testing.TB, config func(int, *transport.Config)) *transporttest.Mesh {
			return transporttest.New(tb, 2, func(i int, c *transport.Config) {
				config(i, c)
				c.Shaper = shape.New(uint64(i))
				if err := c.Shaper.SetDefault(link); err != nil {
					tb.Fatal(err)
				}
			})
		})
	})
	t.Run("virtual", func(t *testing.T) {
		transporttest.Conformance(t, synctest.Test, func(tb testing.TB, config func(int, *transport.Config)) *transporttest.Mesh {
			v := &transporttest.Virtual{}
			return transporttest.New(tb, 2, func(i int, c *transport.Config) {
				config(i, c)
				v.Configure(tb, c, link, uint64(i))
			})
		})
	})
}
