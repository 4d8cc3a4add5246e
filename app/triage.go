package app

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Triage is what users have said about a Failure. It outlives the runs.
type Triage struct {
	Note string `json:"note"` // a paragraph of plain text, or ""
	// MutedUntil is when the group stops being muted; zero: it is not muted.
	MutedUntil time.Time `json:"muted_until,omitzero"`
}

// Muted reports whether the group is muted.
func (t Triage) Muted() bool { return !t.MutedUntil.IsZero() }

const (
	// MaxNote is the largest length of a note, in characters.
	MaxNote = 500
	// MaxMute is the longest time for which a group can be muted.
	MaxMute = 366 * 24 * time.Hour
)

// ParseNote parses a note. Line breaks and other white space become single spaces. It fails with CodeInvalid.
func ParseNote(text string) (string, error) {
	note := strings.Join(strings.Fields(text), " ")
	if err := checkCharacters(note, false); err != nil {
		return "", Errorf(CodeInvalid, "The note %s.", err)
	}
	if count := utf8.RuneCountInString(note); count > MaxNote {
		return "", Errorf(CodeInvalid, "The note has %d characters. It may have at most %d.", count, MaxNote)
	}
	return note, nil
}

// ParseMute parses when a group stops being muted: a duration from now, such as 24h or 7d, or a time as in
// ParseTimeBound. It fails with CodeInvalid.
func ParseMute(text string, now time.Time) (until time.Time, err error) {
	if d, err := ParseDuration(text); err == nil {
		until = now.Add(min(d, 2*MaxMute))
	} else if bound, err := ParseTimeBound(text); err == nil {
		until = bound.Time(now)
	} else {
		return until, Errorf(CodeInvalid,
			"A group is muted for a time like 24h or 7d, or until one like 2026-11-23T15:04Z or 2026-11-23.")
	}
	until = until.UTC().Truncate(time.Millisecond)
	switch {
	case !until.After(now):
		return until, Errorf(CodeInvalid, "The time until which a group is muted must be in the future.")
	case until.Sub(now) > MaxMute:
		return until, Errorf(CodeInvalid, "A group can be muted for at most a year.")
	}
	return until, nil
}
