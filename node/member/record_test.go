package member

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport"
	"github.com/cleave-mesh/cleave/transport/admit"
	"github.com/cleave-mesh/cleave/transport/transporttest"
)

// The wire format is a promise to nodes of other versions: these bytes must never change.
func TestGoldenBytes(t *testing.T) {
	m := meta{role: admit.Client, name: "cam", addrs: []string{"[::1]:9"}}
	if got, want := hex.EncodeToString(m.append(nil, 512)), "010200"+"0363616d"+"01"+"0007"+"5b3a3a315d3a39"; got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	node := admit.Key(bytes.Repeat([]byte{0xab}, 32))
	if got, want := hex.EncodeToString(entry{node, 7, "load"}.append(nil)), strings.Repeat("ab", 32)+"0000000000000007"+"04"+"6c6f6164"; got != want {
		t.Errorf("entry %s, want %s", got, want)
	}
}

func TestMetaFitsItsLimit(t *testing.T) {
	m := meta{role: admit.Member, relay: true, name: "x"}
	for range 12 {
		m.addrs = append(m.addrs, "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:25328")
	}
	b := m.append(nil, 512)
	if len(b) > 512 {
		t.Fatalf("%d bytes", len(b))
	}
	got, err := parseMeta(b)
	if err != nil || got.name != "x" || !got.relay || len(got.addrs) == 0 || len(got.addrs) == 12 {
		t.Errorf("metadata %+v, %v", got, err)
	}
}

func TestStore(t *testing.T) {
	s, now := newStore(), time.Now()
	a, b := admit.Key{1}, admit.Key{2}
	put := func(k admit.Key, version uint64, key string) bool {
		return s.put(Record{public: k, Version: version, Key: key}, now)
	}
	if !put(a, 5, "x") || put(a, 5, "x") || put(a, 4, "x") || !put(a, 6, "x") || !put(b, 1, "y") {
		t.Error("the highest version must win")
	}
	other := newStore()
	other.put(Record{public: a, Version: 9, Key: "x"}, now)
	other.put(Record{public: a, Version: 1, Key: "z"}, now)
	theirs, _ := other.digest(nil)
	ours, wanted := s.compare(theirs, now)
	if len(ours) != 1 || ours[0].Key != "y" || len(wanted) != 2 {
		t.Errorf("difference: ours %v, wanted %v", ours, wanted)
	}
	s.forget(a, now)
	if put(a, 10, "x") {
		t.Error("a record of a forgotten node came back")
	}
	s.welcome(a)
	if !put(a, 10, "x") {
		t.Error("a node that came back cannot publish")
	}
	for i := range MaxKeys + 5 {
		put(b, 1, string(rune('A'+i)))
	}
	if n := len(s.records[b]); n != MaxKeys {
		t.Errorf("%d keys of one node, limit %d", n, MaxKeys)
	}
}

// TestForgedRecords lets a group hear records that their owner did not sign, and some of an owner that was evicted.
func TestForgedRecords(t *testing.T) {
	m := transporttest.New(t, 2, nil)
	g, err := Start(Config{Host: m.Hosts[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	owner := m.Hosts[1]
	public, err := owner.ID().Public()
	if err != nil {
		t.Fatal(err)
	}
	hear := func(version uint64, by *transport.Host, tag string) bool {
		r := Record{Node: owner.ID(), Key: "x", Version: version, public: admit.KeyOf(public)}
		copy(r.signature[:], by.Sign(tag, r.appendSigned(nil)))
		g.hear(r.append([]byte{rumourRecord}))
		got, ok := g.Get(owner.ID(), "x")
		return ok && got.Version == version
	}
	if !hear(1, owner, recordTag) {
		t.Error("a genuine record was not taken")
	}
	if hear(2, m.Hosts[0], recordTag) {
		t.Error("a record that another node signed was taken")
	}
	if hear(3, owner, "other words") {
		t.Error("a signature made for something else was taken")
	}
	if err := g.Evict(m.Authority, owner.ID()); err != nil {
		t.Fatal(err)
	}
	g.store.welcome(admit.KeyOf(public)) // as if its grave were old
	if hear(4, owner, recordTag) {
		t.Error("a record of an evicted node was taken")
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(meta{role: admit.Member, name: "n", addrs: []string{"a:1"}}.append(nil, 512))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMeta(b)
		if err != nil {
			return
		}
		again, err := parseMeta(m.append(nil, 1<<20))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("metadata %+v became %+v, %v", m, again, err)
		}
	})
}

func FuzzRecords(f *testing.F) {
	r := Record{Key: "load", Version: 3, Value: []byte("x")}
	f.Add(appendRecords(nil, []Record{r}, 1<<20))
	f.Add(entry{version: 1, key: "k"}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if es, err := parseEntries(b); err == nil {
			var out []byte
			for _, e := range es {
				out = e.append(out)
			}
			if !bytes.Equal(out, b) {
				t.Error("entries do not give back their bytes")
			}
		}
		records, rest, err := parseRecords(b)
		if err == nil && !bytes.Equal(append(appendRecords(nil, records, 1<<30), rest...), b) {
			t.Error("records do not give back their bytes")
		}
	})
}
