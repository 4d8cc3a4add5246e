package app

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// daysOrWeeks is a part of a duration that time.ParseDuration does not know.
var daysOrWeeks = regexp.MustCompile(`(\d+(?:\.\d*)?|\.\d+)([dw])`)

// ParseDuration reads a duration as time.ParseDuration does, and days and weeks besides: 90s, 1h30m, 7d, 1d12h, 2w.
// A day is 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	inHours := daysOrWeeks.ReplaceAllStringFunc(text, func(part string) string {
		last := len(part) - 1
		n, err := strconv.ParseFloat(part[:last], 64)
		if err != nil {
			return part // which time.ParseDuration refuses
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

// Moment is a point in time: a fixed one, or one that is always so long ago. The zero Moment is none.
type TimeBound struct {
	at  int64 // milliseconds since 1970; 0 is none
	ago time.Duration
}

// fixedMoment is how a fixed moment may be written: RFC 3339, and with less of it. In the query of an address a plus
// sign is often left as it is, and then arrives as a blank.
var fixedMoment = regexp.MustCompile(
	`^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2})?(?:[.,](\d{1,9}))?(?: ?([Zz])|([+ -])(\d{2})(?::?(\d{2}))?)?)?$`)

// ParseMoment reads a time, or a duration that it is ago (90m, 24h, 7d). A time is written as in RFC 3339; seconds,
// fractions, the zone (then it is UTC) and the time of day (then it is midnight) may be left out. It fails with
// CodeMalformed.
func ParseTimeBound(text string) (TimeBound, error) {
	if ago, err := ParseDuration(text); err == nil {
		return longAgo(ago)
	}
	part := fixedMoment.FindStringSubmatch(text)
	if part == nil || part[3] == "" && part[4] != "" { // minutes have no fraction
		return TimeBound{}, errMoment
	}
	at, err := time.Parse(time.RFC3339, part[1]+"T"+or(part[2], "00:00")+or(part[3], ":00")+fraction(part[4])+zone(part[6], part[7], part[8]))
	if err != nil || at.UnixMilli() <= 0 {
		return TimeBound{}, errMoment
	}
	return At(at), nil
}

var errMoment = Errorf(CodeMalformed,
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

// zone spells a zone for RFC 3339. Without a sign it is UTC, and a sign that is a blank was a plus.
func zone(sign, hours, minutes string) string {
	if sign == "" {
		return "Z"
	}
	return strings.Replace(sign, " ", "+", 1) + hours + ":" + or(minutes, "00")
}

func longAgo(ago time.Duration) (TimeBound, error) {
	const century = 100 * 365 * 24 * time.Hour
	if ago <= 0 || ago > century {
		return TimeBound{}, errMoment
	}
	return TimeBound{ago: ago}, nil
}

// At is a fixed moment, to the millisecond.
func At(t time.Time) TimeBound { return TimeBound{at: t.UnixMilli()} }

// IsZero reports whether it is none.
func (m TimeBound) IsZero() bool { return m == TimeBound{} }

// Time is when it is, seen from now.
func (m TimeBound) Time(now time.Time) time.Time {
	if m.ago > 0 {
		return now.Add(-m.ago)
	}
	return time.UnixMilli(m.at).UTC()
}

// String writes it as ParseMoment reads it; none is "".
func (m TimeBound) String() string {
	switch {
	case m.IsZero():
		return ""
	case m.ago > 0 && m.ago%time.Hour == 0:
		return strings.TrimSuffix(m.ago.String(), "0m0s")
	case m.ago > 0:
		return m.ago.String()
	}
	return m.Time(time.Time{}).Format("2006-01-02T15:04:05.999Z07:00")
}

// MarshalText spells a moment as String does.
func (m TimeBound) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText accepts what String spells.
func (m *TimeBound) UnmarshalText(text []byte) (err error) {
	if *m = (TimeBound{}); len(text) > 0 {
		*m, err = ParseTimeBound(string(text))
	}
	return err
}

func (m TimeBound) resolve(now time.Time) TimeBound {
	if m.IsZero() {
		return m
	}
	return At(m.Time(now))
}
