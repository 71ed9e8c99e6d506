package topology

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is bits per second.
type Rate float64

// Bytes is an amount of memory or data.
type Bytes int64

// Watts is electrical power.
type Watts float64

// BytesPerSecond is the rate in the unit of planner.Path.Goodput.
func (r Rate) BytesPerSecond() float64 { return float64(r) / 8 }

// unit is a suffix and what it multiplies by.
type unit struct {
	suffix string
	factor float64
}

// Suffixes of each quantity. Decimal prefixes are powers of 1,000, binary ones (KiB, MiB, GiB) of 1,024.
var (
	rateUnits = []unit{{"bps", 1}, {"kbps", 1e3}, {"Kbps", 1e3}, {"Mbps", 1e6}, {"Gbps", 1e9}}
	byteUnits = []unit{
		{"B", 1},
		{"KB", 1e3},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
	}
	wattUnits     = []unit{{"mW", 1e-3}, {"W", 1}, {"kW", 1e3}}
	perSecond     = []unit{{"/s", 1}, {"Hz", 1}}
	fractionUnits = []unit{{"%", 0.01}, {"", 1}}
)

// ParseRate reads a rate such as "20Mbps" or "1.5 Gbps".
func ParseRate(s string) (Rate, error) {
	v, err := parseQuantity(s, rateUnits, "20Mbps")
	return Rate(v), err
}

// ParseBytes reads an amount such as "512MiB" or "64 kB".
func ParseBytes(s string) (Bytes, error) {
	v, err := parseQuantity(s, byteUnits, "512MiB")
	if err == nil && v >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than can be counted: write less than 8388607TiB", s)
	}
	return Bytes(v), err
}

// ParseWatts reads a power such as "5W" or "250mW".
func ParseWatts(s string) (Watts, error) {
	v, err := parseQuantity(s, wattUnits, "5W")
	return Watts(v), err
}

// ParseDuration reads a duration that is not negative, such as "4ms" or "1m30s".
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.ReplaceAll(s, " ", ""))
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time: write a number and a unit, such as 4ms", s)
	}
	return d, nil
}

// parseFraction reads a share such as "1%" or "0.01".
func parseFraction(s string) (float64, error) {
	v, err := parseQuantity(s, fractionUnits, "1%")
	if err == nil && v >= 1 {
		return 0, fmt.Errorf("%q is not a share: write less than 100%%", s)
	}
	return v, err
}

// parseFactor reads a positive number or a quotient such as "1/20".
func parseFactor(s string) (float64, error) {
	num, den, ok := strings.Cut(s, "/")
	if !ok {
		den = "1"
	}
	a, err1 := strconv.ParseFloat(strings.TrimSpace(num), 64)
	b, err2 := strconv.ParseFloat(strings.TrimSpace(den), 64)
	if v := a / b; err1 == nil && err2 == nil && v > 0 && !math.IsInf(v, 0) {
		return v, nil
	}
	return 0, fmt.Errorf("%q is not a positive factor: write it as 0.05 or 1/20", s)
}

// parseArrivals reads "sequential", "periodic 10/s", "every 100ms" or "poisson 5/s".
func parseArrivals(s string) (Arrivals, error) {
	word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	rest = strings.TrimSpace(rest)
	bad := fmt.Errorf("%q is not an arrival pattern: write sequential, every 100ms, periodic 10/s or poisson 5/s", s)
	switch {
	case word == string(Sequential) && rest == "":
		return Arrivals{Pattern: Sequential}, nil
	case word == "every":
		d, err := ParseDuration(rest)
		if err != nil || d <= 0 {
			return Arrivals{}, bad
		}
		return Arrivals{Pattern: Periodic, Rate: 1 / d.Seconds()}, nil
	case word == string(Periodic) || word == string(Poisson):
		r, err := parseQuantity(rest, perSecond, "10/s")
		if err != nil || r <= 0 {
			return Arrivals{}, bad
		}
		return Arrivals{Pattern: Pattern(word), Rate: r}, nil
	}
	return Arrivals{}, bad
}

// parseQuantity reads a finite number that is not negative and one of the units.
func parseQuantity(s string, units []unit, example string) (float64, error) {
	end := strings.LastIndexAny(s, "0123456789.") + 1
	number, suffix := s[:end], strings.TrimSpace(s[end:])
	names := make([]string, 0, len(units))
	for _, u := range units {
		if u.suffix == suffix {
			v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || v < 0 || math.IsInf(v*u.factor, 0) || math.IsNaN(v) {
				return 0, fmt.Errorf("%q is not a quantity: write a number and a unit, such as %s", s, example)
			}
			return v * u.factor, nil
		}
		names = append(names, u.suffix)
	}
	if suffix == "" {
		return 0, fmt.Errorf("%q has no unit: write one of %s, such as %s", s, strings.Join(names, ", "), example)
	}
	return 0, fmt.Errorf("%q has the unknown unit %q: write one of %s, such as %s", s, suffix, strings.Join(names, ", "), example)
}

// String writes the rate in the largest unit that keeps it at 1 or more.
func (r Rate) String() string {
	return format(float64(r), []unit{{"Gbps", 1e9}, {"Mbps", 1e6}, {"kbps", 1e3}, {"bps", 1}})
}

// String writes the amount in the largest binary unit that keeps it at 1 or more.
func (b Bytes) String() string {
	return format(float64(b), []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}})
}

// String writes the power in watts.
func (w Watts) String() string { return format(float64(w), []unit{{"W", 1}}) }

// format writes v in the first of units, largest first, that keeps it at 1 or more.
func format(v float64, units []unit) string {
	for i, u := range units {
		if v >= u.factor || i == len(units)-1 {
			return strconv.FormatFloat(v/u.factor, 'g', 4, 64) + u.suffix
		}
	}
	return ""
}
