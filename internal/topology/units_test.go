package topology

import (
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for text, want := range map[string]Rate{"20Mbps": 20e6, "1.5 Gbps": 1.5e9, "64kbps": 64e3, "0bps": 0} {
		if got, err := ParseRate(text); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %v, %v, want %v", text, float64(got), err, float64(want))
		}
	}
	for text, want := range map[string]Bytes{"512MiB": 512 << 20, "1 kB": 1000, "2GiB": 2 << 30, "7B": 7} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	if got, err := ParseWatts("250mW"); err != nil || got != 0.25 {
		t.Errorf("ParseWatts = %v, %v", got, err)
	}
	if got, err := ParseDuration("1m30s"); err != nil || got != 90*time.Second {
		t.Errorf("ParseDuration = %v, %v", got, err)
	}
	if got, err := parseFraction("1%"); err != nil || got != 0.01 {
		t.Errorf("parseFraction = %v, %v", got, err)
	}
	if got, err := parseArrivals("every 100ms"); err != nil || got != (Arrivals{Periodic, 10}) {
		t.Errorf("parseArrivals = %v, %v", got, err)
	}
	if got, err := parseArrivals("poisson 2.5/s"); err != nil || got != (Arrivals{Poisson, 2.5}) {
		t.Errorf("parseArrivals = %v, %v", got, err)
	}
}

func TestUnitStrings(t *testing.T) {
	for want, v := range map[string]interface{ String() string }{
		"20Mbps": Rate(20e6), "1.5Gbps": Rate(1.5e9), "12bps": Rate(12),
		"512MiB": Bytes(512 << 20), "2GiB": Bytes(2 << 30), "7B": Bytes(7), "5W": Watts(5),
	} {
		if got := v.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}
