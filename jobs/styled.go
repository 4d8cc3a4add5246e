package jobs

import (
	"slices"
	"strings"
	"unicode/utf8"

	"runboard/app"
)

// maxEncoded is the maximum length of a line with its codes in bytes. A carriage return and a newline still
// fit into app.MaxLine.
const maxEncoded = app.MaxLine - 2

// styledText is text as a terminal shows it.
type styledText struct {
	plain  string
	styles []app.TextStyle // of each byte; nil if the whole text is plain
}

// newStyledText returns a text in one style.
func newStyledText(plain string, style app.TextStyle) styledText {
	if style == (app.TextStyle{}) {
		return styledText{plain: plain}
	}
	return styledText{plain, slices.Repeat([]app.TextStyle{style}, len(plain))}
}

// encoded returns the text with the codes of its styles. It begins and ends plain, so each part of a log can
// be shown without the others. A text that its codes would make too long comes without them.
func (t styledText) encoded() string {
	if t.styles == nil {
		return t.plain
	}
	var out strings.Builder
	out.Grow(len(t.plain) + 32)
	var style app.TextStyle
	begin := 0
	for i, next := range t.styles {
		if next == style {
			continue
		}
		out.WriteString(t.plain[begin:i])
		out.WriteString(next.Codes(style))
		begin, style = i, next
	}
	out.WriteString(t.plain[begin:])
	out.WriteString(app.TextStyle{}.Codes(style))
	if out.Len() > maxEncoded {
		return t.plain
	}
	return out.String()
}

// prefix returns the first n bytes.
func (t styledText) prefix(n int) styledText {
	if t.styles == nil {
		return styledText{plain: t.plain[:n]}
	}
	return styledText{t.plain[:n], t.styles[:n]}
}

// cutPrefix returns the text after a prefix, and whether it has that prefix, in the same styles.
func (t styledText) cutPrefix(prefix styledText) (rest styledText, found bool) {
	n := len(prefix.plain)
	if n == 0 {
		return t, true
	}
	if !strings.HasPrefix(t.plain, prefix.plain) || !t.hasStyles(prefix) {
		return styledText{}, false
	}
	rest.plain = t.plain[n:]
	if t.styles != nil {
		rest.styles = t.styles[n:]
	}
	return rest, true
}

// hasStyles reports whether a text begins with the styles of prefix, which is not longer.
func (t styledText) hasStyles(prefix styledText) bool {
	if t.styles == nil && prefix.styles == nil {
		return true
	}
	for i := range len(prefix.plain) {
		if t.styleAt(i) != prefix.styleAt(i) {
			return false
		}
	}
	return true
}

// styleAt returns the style of a byte.
func (t styledText) styleAt(i int) app.TextStyle {
	if t.styles == nil {
		return app.TextStyle{}
	}
	return t.styles[i]
}

// padded returns the text with blanks added until it has as many characters as other.
func (t styledText) padded(other styledText) styledText {
	missing := utf8.RuneCountInString(other.plain) - utf8.RuneCountInString(t.plain)
	if missing <= 0 {
		return t
	}
	t.plain += strings.Repeat(" ", missing)
	if t.styles != nil {
		t.styles = append(t.styles, make([]app.TextStyle, missing)...)
	}
	return t
}

// masked returns a text with its secrets masked. Unless whole is set, it ends before what may be the
// beginning of a secret. Codes may divide a secret, so a text with a secret comes without styles.
func (t styledText) masked(m *masker, whole bool) styledText {
	if m.isEmpty() {
		return t
	}
	mask := m.beginning
	if whole {
		mask = m.text
	}
	text := mask(t.plain)
	if strings.HasPrefix(t.plain, text) {
		return t.prefix(len(text))
	}
	return styledText{plain: text}
}
