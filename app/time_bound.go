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

// absoluteTime matches RFC 3339 with optional parts. In URLs the plus sign is often not escaped and arrives
// as a space.
var absoluteTime = regexp.MustCompile(
	`^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,9}))?(?: ?([Zz])|([+ -])(\d{2})(?::?(\d{2}))?)?)?$`)

// ParseTimeBound parses an absolute time, or how long ago (90m, 24h, 7d). An absolute time is RFC 3339;
// seconds, fractions, the zone (default UTC) and the time of day (default midnight) are optional. It fails
// with CodeMalformed.
func ParseTimeBound(text string) (TimeBound, error) {
	if ago, err := ParseDuration(text); err == nil {
		return relative(ago)
	}
	part := absoluteTime.FindStringSubmatch(text)
	if part == nil || part[3] == "" && part[4] != "" { // minutes have no fraction
		return TimeBound{}, errTimeBound
	}
	at, err := time.Parse(time.RFC3339, part[1]+"T"+or(part[2], "00:00")+or(part[3], ":00")+fraction(part[4])+zone(part[6], part[7], part[8]))
	if err != nil || at.UnixMilli() <= 0 {
		return TimeBound{}, errTimeBound
	}
	return At(at), nil
}

var errTimeBound = Errorf(CodeMalformed,
	"A time is written like 2026-11-23T15:04Z or 2026-11-23, after 1970, or like 90m, 24h or 7d for so long ago.")

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func fraction(digits string) string {
	if digits == "" {
		return ""
	}
	return "." + digits
}

// zone returns a zone for RFC 3339. Without a sign it is UTC; a space was a plus.
func zone(sign, hours, minutes string) string {
	if sign == "" {
		return "Z"
	}
	return strings.Replace(sign, " ", "+", 1) + hours + ":" + or(minutes, "00")
}

func relative(ago time.Duration) (TimeBound, error) {
	const century = 100 * 365 * 24 * time.Hour
	if ago <= 0 || ago > century {
		return TimeBound{}, errTimeBound
	}
	return TimeBound{ago: ago}, nil
}

// At returns an absolute bound, with millisecond precision.
func At(t time.Time) TimeBound { return TimeBound{at: t.UnixMilli()} }

// IsZero reports whether there is no bound.
func (b TimeBound) IsZero() bool { return b == TimeBound{} }

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
