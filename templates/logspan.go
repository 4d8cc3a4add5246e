package templates

import (
	"regexp"
	"strconv"
	"strings"

	"runboard/app"
)

// logSpan is the view model of text of a log that looks the same.
type logSpan struct {
	Class, Text string
	Mark        bool // found by the search
}

// hasColor reports whether the text has a color of terminals.
func (s logSpan) hasColor() bool {
	return strings.Contains(s.Class, "fg-") || strings.Contains(s.Class, "bg-")
}

// newMarker returns an expression for the hits of a search, or nil without one.
func newMarker(text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	return regexp.MustCompile("(?i)" + regexp.QuoteMeta(text))
}

// newLogSpans divides a text of a log by its styles, and by the hits of a search, which may be nil.
func newLogSpans(text string, search *regexp.Regexp) (spans []logSpan) {
	var hits [][]int
	if search != nil {
		hits = search.FindAllStringIndex(app.PlainText(text), -1)
	}
	at := 0
	for piece := range app.ParseStyles(text) {
		class := styleClass(piece.Style)
		rest := piece.Text
		for rest != "" {
			for len(hits) > 0 && hits[0][1] <= at {
				hits = hits[1:]
			}
			length, mark := len(rest), false
			if len(hits) > 0 {
				mark = hits[0][0] <= at
				next := hits[0][0]
				if mark {
					next = hits[0][1]
				}
				length = min(length, next-at)
			}
			spans = append(spans, logSpan{Class: class, Text: visible(rest[:length]), Mark: mark})
			at += length
			rest = rest[length:]
		}
	}
	return spans
}

// styleClass returns the class names for a style. The policy for content allows no style attributes.
func styleClass(style app.TextStyle) string {
	if style == (app.TextStyle{}) {
		return ""
	}
	var names []string
	for _, flag := range []struct {
		is   bool
		name string
	}{
		{style.Bold, "bold"}, {style.Faint, "faint"}, {style.Italic, "italic"},
		{style.Underline, "underline"}, {style.Strike, "strike"},
	} {
		if flag.is {
			names = append(names, flag.name)
		}
	}
	foreground, background := style.Foreground.Number(), style.Background.Number()
	if style.Inverse {
		foreground, background = background, foreground
	}
	switch {
	case background >= 0: // its text is black or white, whatever the foreground, so that it can be read
		names = append(names, "bg-"+strconv.Itoa(background))
	case style.Inverse:
		names = append(names, "inverse")
	case foreground >= 0:
		names = append(names, "fg-"+strconv.Itoa(foreground))
	}
	return strings.Join(names, " ")
}
