package app

import (
	"strings"
	"testing"
	"time"
)

func TestParseNote_IsOneParagraph(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "",
		"  ":                                 "",
		"supplier is down on Sundays":        "supplier is down on Sundays",
		" two\r\n\r\nlines\tand\u00a0 more ": "two lines and more",
		"<b>&amp; https://example.org/?a=b":  "<b>&amp; https://example.org/?a=b",
		strings.Repeat("ä", MaxNote):         strings.Repeat("ä", MaxNote),
	} {
		if got, err := ParseNote(text); got != want || err != nil {
			t.Errorf("ParseNote(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		strings.Repeat("ä", MaxNote+1): "The note has 501 characters. It may have at most 500.",
		"a\x00b":                       "The note must not contain control characters.",
		"a\x1b[31mb":                   "The note must not contain control characters.",
		"a\xffb":                       "The note must be valid UTF-8.",
		"a\u202eb":                     "The note must not contain characters that change the direction",
	} {
		got, err := ParseNote(text)
		if CodeOf(err) != CodeInvalid || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseNote(%.20q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseMute_IsATimeAhead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 12, 0, 0, 5_500_000, time.UTC)
	for text, want := range map[string]time.Time{
		"24h":                       time.Date(2026, 11, 3, 12, 0, 0, 5_000_000, time.UTC),
		"7d":                        time.Date(2026, 11, 9, 12, 0, 0, 5_000_000, time.UTC),
		"2026-11-03":                time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC),
		"2026-11-03T15:04":          time.Date(2026, 11, 3, 15, 4, 0, 0, time.UTC),
		"2026-11-03T15:04Z":         time.Date(2026, 11, 3, 15, 4, 0, 0, time.UTC),
		"2026-11-03T15:04:05+02:00": time.Date(2026, 11, 3, 13, 4, 5, 0, time.UTC),
		"2027-11-03":                time.Date(2027, 11, 3, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseMute(text, now); !got.Equal(want) || err != nil {
			t.Errorf("ParseMute(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "A group is muted for", "tomorrow": "A group is muted for", "2026-13-01": "A group is muted for",
		"0s": "The time until", "-1h": "The time until", "1ns": "The time until",
		"2026-11-02T12:00Z": "The time until", "2026-11-01": "The time until",
		"1969-01-01": "A group is muted for",
		"367d":       "A group can be muted", "2027-11-04": "A group can be muted",
		"100000d": "A group can be muted",
	} {
		got, err := ParseMute(text, now)
		if CodeOf(err) != CodeInvalid || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseMute(%q) = %s, %v, want %q", text, got, err, want)
		}
	}
}
