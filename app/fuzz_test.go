package app_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"runboard/app"
)

func FuzzParseTimeBound(f *testing.F) {
	for _, seed := range []string{"", "24h", "7d", "1.5s", "-1h", "0s", "2026-11-23", "2026-11-23T15:04Z",
		"2026-11-23T15:04:05.123+02:00", "99999999d", "1969-12-31", "9999999h", "d", "1hd"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		moment, err := app.ParseTimeBound(text)
		if err != nil {
			if app.CodeOf(err) != app.CodeMalformed {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := app.ParseTimeBound(moment.String()); err != nil || again != moment ||
			moment.IsZero() {
			t.Fatalf("%q is written %q and read as %v: %v", text, moment, again, err)
		}
		if moment.Time(now).UnixMilli() <= -200*365*24*time.Hour.Milliseconds() {
			t.Fatalf("%q is in %v", text, moment.Time(now))
		}
	})
}

func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"", "out of ink", " a\tb ", "a\x00b", "\xff", `"quoted" AND NOT (x*)`,
		strings.Repeat("x", 201), "\u202e", "á é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := app.ParseText(text)
		if err == nil && (!utf8.ValidString(words) || utf8.RuneCountInString(words) > app.MaxText ||
			strings.Join(strings.Fields(words), " ") != words) {
			t.Fatalf("%q is read as %q", text, words)
		}
		kind, kindErr := app.ParseKind(text)
		if kindErr == nil && (kind != text || len(kind) > app.MaxKind) {
			t.Fatalf("the kind %q is read as %q", text, kind)
		}
		for _, err := range []error{err, kindErr} {
			if err != nil && app.CodeOf(err) != app.CodeMalformed {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseTriage(f *testing.F) {
	for _, seed := range []string{"", "24h", "400d", "2027-01-01T00:00", "a\r\nb", "\u202e",
		"\xff", "https://a.b",
		strings.Repeat("ä ", 501)} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		note, err := app.ParseNote(text)
		if err == nil {
			again, err := app.ParseNote(note)
			if err != nil || again != note || utf8.RuneCountInString(note) > app.MaxNote {
				t.Fatalf("the note %q is read as %q, and that as %q: %v", text, note, again, err)
			}
		}
		until, muteErr := app.ParseMute(text, now)
		if muteErr == nil && (!until.After(now) || until.Sub(now) > app.MaxMute) {
			t.Fatalf("%q is a mute until %v", text, until)
		}
		for _, err := range []error{err, muteErr} {
			if err != nil && app.CodeOf(err) != app.CodeInvalid {
				t.Fatal(err)
			}
		}
	})
}
