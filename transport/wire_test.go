package transport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/cleave-mesh/cleave/transport/admit"
)

// The wire format is a promise to nodes of other versions: these bytes must never change.
func TestGoldenBytes(t *testing.T) {
	h := Header{
		Request: [16]byte{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf},
		Attempt: 2, Plan: 3, Epoch: 4, Stage: 5, Value: 6, Codec: 7, Size: 8, Extra: []byte{9, 10},
	}
	p := preamble{urgency: 1, kind: KindTensor, remaining: 250 * time.Millisecond}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"preamble", p.append(nil), "01010001000000000003d090"},
		{
			"tensor header", h.append(nil),
			"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf" + "0000000000000003" + "0000000000000004" + "00000005" + "00000006" +
				"0007" + "0002" + "0000000000000008" + "0002" + "090a",
		},
		{
			"receipt", receipt{bytes: 1, total: 2, tailBytes: 1, tail: 2}.append(nil),
			"0000000000000001" + "0000000000000002" + "0000000000000001" + "0000000000000002",
		},
		{"failure", appendFailure(nil, CodeRefused, "no"), "06" + "0002" + "6e6f"},
		{"packet through a relay", appendFrame(nil, []byte{7, 8, 9}), "0003" + "070809"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWireRoundTrip(t *testing.T) {
	h := Header{Request: [16]byte{1}, Attempt: 2, Plan: 3, Epoch: 4, Stage: 5, Value: 6, Codec: 7, Size: 8, Extra: make([]byte, MaxExtra)}
	got, err := readHeader(bytes.NewReader(h.append(nil)))
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("header %+v, %v", got, err)
	}
	h.Extra = make([]byte, MaxExtra+1)
	if _, err := readHeader(bytes.NewReader(h.append(nil))); !errors.Is(err, errWire) {
		t.Errorf("oversized extra: %v", err)
	}
	bad := preamble{kind: 1}.append(nil)
	bad[0] = 9
	if _, err := readPreamble(bytes.NewReader(bad)); !errors.Is(err, errWire) {
		t.Errorf("wrong version: %v", err)
	}
	if _, err := readPreamble(bytes.NewReader(bytes.Repeat([]byte{1}, preambleLen))); !errors.Is(err, errWire) {
		t.Errorf("remaining time of ages: %v", err)
	}
	if _, err := readReceipt(bytes.NewReader(receipt{bytes: 1, tailBytes: 2}.append(nil))); !errors.Is(err, errWire) {
		t.Errorf("contradictory receipt: %v", err)
	}
}

func FuzzStreamOpening(f *testing.F) {
	p := preamble{urgency: 1, kind: KindTensor, remaining: time.Second}
	f.Add((&Header{Extra: []byte("x")}).append(p.append(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		p, err := readPreamble(r)
		if err != nil || p.kind != KindTensor {
			return
		}
		h, err := readHeader(r)
		if err != nil {
			return
		}
		again, err := readHeader(bytes.NewReader(h.append(nil)))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("header %+v became %+v, %v", h, again, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(appendFailure(nil, CodeRefused, "no"))
	f.Add(receipt{bytes: 4, total: 3, tailBytes: 2, tail: 1}.append([]byte{0}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if readStatus(r, "") == nil {
			_, _ = readReceipt(r)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte{1, 2, 3}))
	f.Add(appendFrame(nil, make([]byte, tunnelPacket+1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readFrame(bytes.NewReader(b))
		if err == nil && (len(p) == 0 || len(p) > tunnelPacket || !bytes.HasPrefix(b, appendFrame(nil, p))) {
			t.Errorf("packet %x from %x", p, b)
		}
	})
}

func FuzzJoinReply(f *testing.F) {
	id, err := NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	a, err := admit.NewAuthority()
	if err != nil {
		f.Fatal(err)
	}
	ch, err := a.Issue(id.Public(), admit.Member, time.Now(), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(append([]byte{joinOK}, a.Public()...), ch.Append([]byte{0, 171})...))
	f.Add([]byte{joinSpent})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseJoinReply(b, id.Public(), time.Now())
		if err == nil && c.Chain[0].Subject != admit.KeyOf(id.Public()) {
			t.Error("credentials of another identity")
		}
	})
}
