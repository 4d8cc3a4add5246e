package app

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// daysOrWeeks matches the units that time.ParseDuration does not know.
var daysOrWeeks = regexp.MustCompile(`(\d+(?:\.\d*)?|\.\d+)([dw])`)

// ParseDuration is time.ParseDuration with days of 24 hours and weeks: 90s, 1h30m, 7d, 1d12h, 2w.
func ParseDuration(text string) (time.Duration, error) {
	inHours := daysOrWeeks.ReplaceAllStringFunc(text, func(part string) string {
		last := len(part) - 1
		n, err := strconv.ParseFloat(part[:last], 64)
		if err != nil {
			return part // time.ParseDuration refuses it
		}
		hours := 24 * n
		if part[last] == 'w' {
			hours *= 7
		}
		return strconv.FormatFloat(hours, 'f', -1, 64) + "h"
	})
	d, err := time.ParseDuration(inHours)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration like 90s, 15m, 24h or 7d", text)
	}
	return d, nil
}

// TimeBound is a point in time, either absolute or relative to now. The zero TimeBound is none.
type TimeBound struct {
	at  int64 // Unix milliseconds; 0 if relative
	ago time.Duration
}

// The layouts of absolute times: RFC 3339, in which seconds and zone are optional, and a date.
var layouts = func() (all []string) {
	for _, clock := range []string{"T15:04:05", "T15:04"} {
		for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
			all = append(all, time.DateOnly+clock+zone)
		}
	}
	return append(all, time.DateOnly)
}()

// ParseTimeBound parses an absolute time, or how long ago (90m, 24h, 7d). An absolute time is RFC 3339;
// seconds, fractions, the zone (default UTC) and the time of day (default midnight) are optional. It fails
// with CodeMalformed.
func ParseTimeBound(text string) (TimeBound, error) {
	if ago, err := ParseDuration(text); err == nil {
		return relative(ago)
	}
	if date := len(time.DateOnly); len(text) > date && strings.IndexByte("Tt ", text[date]) >= 0 {
		clock := strings.ToUpper(text[date+1:])
		// In URLs, a plus sign often arrives as a space.
		text = text[:date] + "T" + strings.NewReplacer(" Z", "Z", " ", "+").Replace(clock)
	}
	for _, layout := range layouts {
		at, err := time.Parse(layout, text)
		if err == nil && at.UnixMilli() > 0 && at.UTC().Year() <= maxYear {
			return At(at), nil
		}
	}
	return TimeBound{}, errTimeBound
}

// maxYear is the last year that the layouts can write. A zone can lead beyond it.
const maxYear = 9999

var errTimeBound = Errorf(CodeMalformed, "A time is written like "+
	"2026-11-23T15:04Z or 2026-11-23, after 1970, or how long ago it was, like 90m, 24h or 7d.")

func relative(ago time.Duration) (TimeBound, error) {
	const century = 100 * 365 * 24 * time.Hour
	if ago <= 0 || ago > century {
		return TimeBound{}, errTimeBound
	}
	return TimeBound{ago: ago}, nil
}

// At returns an absolute bound, with millisecond precision. A time before 1970 becomes the first one that
// ParseTimeBound accepts: no run is older.
func At(t time.Time) TimeBound { return TimeBound{at: max(1, t.UnixMilli())} }

// IsZero reports whether there is no bound.
func (b TimeBound) IsZero() bool { return b == TimeBound{} }

// Relative reports whether the bound is relative to now.
func (b TimeBound) Relative() bool { return b.ago > 0 }

// Time returns the point in time, given the current time.
func (b TimeBound) Time(now time.Time) time.Time {
	if b.ago > 0 {
		return now.Add(-b.ago)
	}
	return time.UnixMilli(b.at).UTC()
}

// String returns a text that ParseTimeBound parses, or "" for none.
func (b TimeBound) String() string {
	switch {
	case b.IsZero():
		return ""
	case b.ago > 0 && b.ago%time.Hour == 0:
		return strings.TrimSuffix(b.ago.String(), "0m0s")
	case b.ago > 0:
		return b.ago.String()
	}
	return b.Time(time.Time{}).Format("2006-01-02T15:04:05.999Z07:00")
}

// MarshalText returns String.
func (b TimeBound) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText parses the result of String.
func (b *TimeBound) UnmarshalText(text []byte) (err error) {
	if *b = (TimeBound{}); len(text) > 0 {
		*b, err = ParseTimeBound(string(text))
	}
	return err
}

// resolve returns the bound as an absolute one.
func (b TimeBound) resolve(now time.Time) TimeBound {
	if b.IsZero() {
		return b
	}
	return At(b.Time(now))
}
