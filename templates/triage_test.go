package templates

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

func TestNoteParts_LinkOnlyAddresses(t *testing.T) {
	t.Parallel()
	for note, want := range map[string]string{
		"":                                      "",
		"INC-42":                                "INC-42",
		"https://example.org":                   "[https://example.org]",
		"see http://a.b/c?d=e&f#g.":             "see [http://a.b/c?d=e&f#g].",
		"(https://a.b/c), https://d.e/(f)!":     "([https://a.b/c]), [https://d.e/(f])!",
		`<a href="https://a.b/">x</a>`:          `<a href="[https://a.b/]">x</a>`,
		"javascript:alert(1) //a.b ftp://a.b":   "javascript:alert(1) //a.b ftp://a.b",
		"xhttps://a.b":                          "xhttps://a.b",
		"https:// http://":                      "https:// http://",
		"https://a.b/x\u200by":                  "[https://a.b/x<U+200B>y]",
		"https://a.b https://c.d":               "[https://a.b] [https://c.d]",
		strings.Repeat("https://a.b ", 3) + "x": strings.Repeat("[https://a.b] ", 3) + "x",
	} {
		var got strings.Builder
		for _, part := range noteParts(note) {
			if part.URL == "" {
				got.WriteString(part.Text)
				continue
			}
			got.WriteString("[" + part.Text + "]")
			if !strings.HasPrefix(part.URL, "http://") && !strings.HasPrefix(part.URL, "https://") {
				t.Errorf("%q links to %q", note, part.URL)
			}
		}
		if got.String() != want {
			t.Errorf("noteParts(%q) = %q, want %q", note, got.String(), want)
		}
	}
}

func TestFailureNote_IsNilWithoutTriage(t *testing.T) {
	t.Parallel()
	if note := newFailureNote(app.Failure{ID: 3}); note != nil {
		t.Errorf("the note is %+v", note)
	}
	until := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	note := newFailureNote(app.Failure{ID: 3, Triage: app.Triage{MutedUntil: until}})
	if note == nil || note.Until.Text != "2 Nov 2026, 12:00:00 UTC" ||
		note.EditPath != "/process_runs/failures/3/note" {
		t.Errorf("the note is %+v", note)
	}
}
