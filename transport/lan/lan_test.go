package lan

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMessages(t *testing.T) {
	q, err := question()
	if err != nil {
		t.Fatal(err)
	}
	if asks, found, err := parse(q); !asks || found != nil || err != nil {
		t.Errorf("question: asks %v, found %v, %v", asks, found, err)
	}
	a := Announcement{
		Peer: "12D3KooW" + strings.Repeat("x", 44), Mesh: "0a1b2c3d",
		Addrs: []string{"192.0.2.1:25328", "[2001:db8::1]:25328"},
	}
	b, err := a.answer()
	if err != nil {
		t.Fatal(err)
	}
	asks, found, err := parse(b)
	if asks || err != nil || len(found) != 1 || !reflect.DeepEqual(found[0], a) {
		t.Errorf("answer: asks %v, found %+v, %v", asks, found, err)
	}
	a.Addrs = []string{"not an address"}
	if b, err = a.answer(); err != nil {
		t.Fatal(err)
	}
	if _, found, _ := parse(b); found != nil {
		t.Errorf("an announcement without an address was believed: %v", found)
	}
}

func TestTwoNodesFindEachOther(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	found := make(chan string, 64)
	start := func(peer, mesh string) *Service {
		s, err := Start(Config{
			Self: func() Announcement { return Announcement{peer, mesh, []string{"192.0.2.1:1"}} },
			Found: func(a Announcement) {
				select {
				case found <- peer + " finds " + a.Peer:
				default:
				}
			},
		})
		if err != nil {
			t.Skip(err)
		}
		return s
	}
	for _, s := range []*Service{start("a", "m"), start("b", "m"), start("stranger", "other")} {
		defer s.Close()
	}
	want := map[string]bool{"a finds b": true, "b finds a": true}
	for len(want) > 0 {
		select {
		case f := <-found:
			if strings.Contains(f, "stranger") {
				t.Fatal(f)
			}
			delete(want, f)
		case <-ctx.Done():
			t.Skipf("this machine's network does not carry multicast between its own sockets; missing %v", want)
		}
	}
}

func FuzzParse(f *testing.F) {
	q, err := question()
	if err != nil {
		f.Fatal(err)
	}
	b, err := Announcement{"p", "m", []string{"192.0.2.1:1"}}.answer()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, found, err := parse(b)
		if err != nil && found != nil {
			t.Error("an error and announcements")
		}
		for _, a := range found {
			if len(a.Addrs) > maxAddrs {
				t.Errorf("%d addresses", len(a.Addrs))
			}
		}
	})
}
