package shape_test

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/cleave-mesh/cleave/transport/shape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sink is a socket in memory that notes when packets were written to it.
type sink struct {
	start time.Time
	got   chan arrival
}

type arrival struct {
	at   time.Duration
	size int
	tag  byte
}

func newSink() *sink { return &sink{start: time.Now(), got: make(chan arrival, 1<<16)} }

func (s *sink) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.got <- arrival{time.Since(s.start), len(b), b[0]}
	return len(b), nil
}
func (s *sink) ReadFrom([]byte) (int, net.Addr, error) { return 0, nil, net.ErrClosed }
func (s *sink) Close() error                           { return nil }
func (s *sink) LocalAddr() net.Addr                    { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (s *sink) SetDeadline(time.Time) error            { return nil }
func (s *sink) SetReadDeadline(time.Time) error        { return nil }
func (s *sink) SetWriteDeadline(time.Time) error       { return nil }

var (
	far  = &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 9}
	farP = netip.MustParseAddrPort("10.0.0.2:9")
)

// drive sends n packets of size bytes at once through a link in virtual time, and returns what arrived.
func drive(t *testing.T, seed uint64, l shape.Link, n, size int) ([]arrival, shape.Stats) {
	t.Helper()
	var out []arrival
	var stats shape.Stats
	synctest.Test(t, func(t *testing.T) {
		s := shape.New(seed, shape.Virtual())
		if err := s.Set(farP, l); err != nil {
			t.Fatal(err)
		}
		pc := newSink()
		c := s.Wrap(pc)
		for i := range n {
			b := make([]byte, size)
			b[0] = byte(i)
			if _, err := c.WriteTo(b, far); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour) // virtual
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		close(pc.got)
		for a := range pc.got {
			out = append(out, a)
		}
		_, stats = s.Link(farP)
	})
	return out, stats
}

func TestRateAndDelay(t *testing.T) {
	const n, size, rate = 1000, 1172, 10e6 // 1200 bytes on the wire: 0.96 ms each
	got, st := drive(t, 1, shape.Link{Rate: rate, Delay: 20 * time.Millisecond, Queue: 2 << 20}, n, size)
	if len(got) != n || st.Packets != n || st.Overflow != 0 {
		t.Fatalf("%d of %d packets arrived, stats %+v", len(got), n, st)
	}
	for i, a := range got {
		want := 20*time.Millisecond + time.Duration(i+1)*960*time.Microsecond
		if d := (a.at - want).Abs(); d > 10*time.Microsecond {
			t.Fatalf("packet %d at %v, want %v", i, a.at, want)
		}
	}
}

func TestQueueOverflows(t *testing.T) {
	got, st := drive(t, 1, shape.Link{Rate: 10e6, Queue: 12_000}, 100, 1172)
	if len(got) != 11 || st.Overflow != 89 { // one on the link, ten waiting
		t.Errorf("%d arrived, %d overflowed, want 11 and 89", len(got), st.Overflow)
	}
}

func TestLoss(t *testing.T) {
	const n = 20_000
	for name, l := range map[string]shape.Link{
		"independent": {Loss: 0.05},
		"bursts":      {Burst: &shape.GilbertElliott{GoodToBad: 0.01, BadToGood: 0.19, LossBad: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, st := drive(t, 7, l, n, 100)
			loss := float64(n-len(got)) / n
			if math.Abs(loss-0.05) > 0.012 { // five standard deviations of the burst process
				t.Errorf("loss %.4f, want 0.05", loss)
			}
			if st.Lost != uint64(n-len(got)) {
				t.Errorf("counted %d lost, %d are missing", st.Lost, n-len(got))
			}
		})
	}
}

func TestJitterKeepsOrder(t *testing.T) {
	got, _ := drive(t, 3, shape.Link{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}, 200, 100)
	for i := range got {
		if got[i].tag != byte(i) {
			t.Fatalf("packet %d arrived as number %d", got[i].tag, i)
		}
	}
	got, _ = drive(t, 3, shape.Link{Delay: 50 * time.Millisecond, Reorder: 0.1}, 200, 100)
	ordered := true
	for i := range got {
		ordered = ordered && got[i].tag == byte(i)
	}
	if ordered {
		t.Error("nothing was reordered at 10 %")
	}
}

func TestTrace(t *testing.T) {
	tr, err := shape.ParseRates(strings.NewReader("# comment\n0 8\n1 0\n2 16\n"))
	if err != nil {
		t.Fatal(err)
	}
	// 1,000 bytes on the wire: 1 ms each in the first second, nothing in the second, then 0.5 ms each.
	got, _ := drive(t, 1, shape.Link{Trace: tr, Queue: 2 << 20}, 1500, 972)
	for _, c := range []struct {
		packet int
		want   time.Duration
	}{{0, time.Millisecond}, {999, time.Second}, {1000, 2*time.Second + 500*time.Microsecond}, {1499, 2250 * time.Millisecond}} {
		if d := (got[c.packet].at - c.want).Abs(); d > 50*time.Microsecond {
			t.Errorf("packet %d at %v, want %v", c.packet, got[c.packet].at, c.want)
		}
	}
	mm, err := shape.ParseMahimahi(strings.NewReader("0\n50\n150\n"))
	if err != nil {
		t.Fatal(err)
	}
	if r, until := mm.At(0); r != 2*1500*8*10 || until != 100*time.Millisecond {
		t.Errorf("mahimahi rate %g until %v", r, until)
	}
	for _, bad := range []string{"", "5\n3\n", "x\n", "99999999999999\n"} {
		if _, err := shape.ParseMahimahi(strings.NewReader(bad)); !errors.Is(err, shape.ErrLink) {
			t.Errorf("mahimahi %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "0 0\n", "0 -1\n", "1 2 3\n", "0 1\n0 2\n"} {
		if _, err := shape.ParseRates(strings.NewReader(bad)); !errors.Is(err, shape.ErrLink) {
			t.Errorf("rates %q: %v", bad, err)
		}
	}
}

func TestChangeWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := shape.New(1, shape.Virtual())
		pc := newSink()
		c := s.Wrap(pc)
		send := func() time.Duration {
			before := time.Since(pc.start)
			if _, err := c.WriteTo(make([]byte, 972), far); err != nil {
				t.Fatal(err)
			}
			a := <-pc.got
			return a.at - before
		}
		if d := send(); d != 0 {
			t.Errorf("an unset link took %v", d)
		}
		if err := s.SetDefault(shape.Link{Delay: 5 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		if d := send(); d != 5*time.Millisecond {
			t.Errorf("the default link took %v, want 5ms", d)
		}
		if err := s.Set(farP, shape.Link{Rate: 8e6, Delay: 10 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		if d := send(); d != 11*time.Millisecond {
			t.Errorf("the changed link took %v, want 11ms", d)
		}
		if err := s.Set(farP, shape.Link{Rate: -1}); !errors.Is(err, shape.ErrLink) {
			t.Errorf("a negative rate: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
