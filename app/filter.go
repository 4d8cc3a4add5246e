package app

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Filter says which runs are wanted. It is comparable. The zero Filter wants all.
type Filter struct {
	// Filtered says whether only runs in Status are wanted.
	Filtered bool
	Status   Status
	// Kind is the only kind of work that is wanted, or "".
	Kind string
	// Since and Until bound when a run was created: not before Since, and before Until.
	Since, Until Moment
	// Failure is what the runs must have failed with, see Failure, or 0.
	Failure int64
	// Text is words that the error or the log of a run must have, all of them, or "".
	Text string
}

// Plain reports whether nothing but a status is asked for.
func (f Filter) Plain() bool { return f == Filter{Filtered: f.Filtered, Status: f.Status} }

// Limits of what a filter asks for, in bytes.
const (
	MaxKind = 100
	MaxText = 200
)

// ParseKind returns the kind that a filter asks for. It need not be known: there are runs of kinds that are no
// longer offered. It fails with CodeMalformed.
func ParseKind(text string) (string, error) {
	if len(text) > MaxKind || !readable(text) {
		return "", Errorf(CodeMalformed, "The kind is at most %d bytes of text.", MaxKind)
	}
	return text, nil
}

// ParseText returns the words that a filter asks for, with single blanks between them. It fails with CodeMalformed.
func ParseText(text string) (string, error) {
	if len(text) > MaxText || !readable(text) {
		return "", Errorf(CodeMalformed, "What is searched for is at most %d bytes of text.", MaxText)
	}
	return strings.Join(strings.Fields(text), " "), nil
}

func readable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
}

// Moment is a point in time: a fixed one, or one that is always so long ago. The zero Moment is none.
type Moment struct {
	at  int64 // milliseconds since 1970; 0 is none
	ago time.Duration
}

// layouts are how a fixed moment may be written, the one that String uses first. Without a zone it is in UTC.
var layouts = []string{"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}

// ParseMoment reads a time (2026-11-23T15:04:05Z, or less of it, in UTC), or a duration that it is ago (90m, 24h, 7d).
// It fails with CodeMalformed.
func ParseMoment(text string) (Moment, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		if hours, err := time.ParseDuration(days + "h"); err == nil && !strings.ContainsAny(days, "hms") {
			return longAgo(24 * hours)
		}
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return longAgo(ago)
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil && at.UnixMilli() > 0 {
			return At(at), nil
		}
	}
	return Moment{}, errMoment
}

var errMoment = Errorf(CodeMalformed, "A time is written like 2026-11-23T15:04Z, or like 24h or 7d for so long ago.")

func longAgo(ago time.Duration) (Moment, error) {
	const century = 100 * 365 * 24 * time.Hour
	if ago <= 0 || ago > century {
		return Moment{}, errMoment
	}
	return Moment{ago: ago}, nil
}

// At is a fixed moment, to the millisecond.
func At(t time.Time) Moment { return Moment{at: t.UnixMilli()} }

// IsZero reports whether it is none.
func (m Moment) IsZero() bool { return m == Moment{} }

// Time is when it is, seen from now.
func (m Moment) Time(now time.Time) time.Time {
	if m.ago > 0 {
		return now.Add(-m.ago)
	}
	return time.UnixMilli(m.at).UTC()
}

// String writes it as ParseMoment reads it; none is "".
func (m Moment) String() string {
	switch {
	case m.IsZero():
		return ""
	case m.ago > 0 && m.ago%time.Hour == 0:
		return strings.TrimSuffix(m.ago.String(), "0m0s")
	case m.ago > 0:
		return m.ago.String()
	}
	return m.Time(time.Time{}).Format(layouts[0])
}
