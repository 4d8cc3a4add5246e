package jobs

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"runboard/app"
)

const (
	// minMasked is the number of characters from which a secret input is masked. Shorter ones would mask
	// ordinary text, and show what they are by what is masked.
	minMasked = 8
	// minReference is the same for the values of references, which the operator has chosen to keep elsewhere.
	minReference = 3
	mask         = "•••"
)

// masker replaces secrets in text. Its zero value and nil mask nothing.
type masker struct {
	secrets [][]byte // longest first
	first   [256]bool
}

// newMasker returns a masker for the values of secret inputs and of references. Those that are too short are
// not masked.
func newMasker(inputs, references []string) *masker {
	m := &masker{}
	for _, secret := range inputs {
		m.add(secret, minMasked)
		if utf8.RuneCountInString(secret) >= minMasked {
			m.add(textInJSON(secret), minMasked) // a command may print its file of inputs
		}
	}
	for _, secret := range references {
		m.add(secret, minReference)
		for line := range strings.Lines(secret) { // commands often print them one by one
			m.add(strings.TrimRight(line, "\r\n"), minMasked)
		}
	}
	slices.SortStableFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

// textInJSON returns a text as it appears in the file of the inputs, without quotes.
func textInJSON(text string) string {
	encoded := app.InputFile([]app.Input{{Name: "x"}}, app.InputValues{{Name: "x", Texts: []string{text}}})
	return strings.TrimSuffix(strings.TrimPrefix(string(encoded), `{"x":"`), `"}`)
}

// add adds a secret unless it has less than minimum characters.
func (m *masker) add(secret string, minimum int) {
	isKnown := func(s []byte) bool { return string(s) == secret }
	if utf8.RuneCountInString(secret) < minimum || slices.ContainsFunc(m.secrets, isKnown) {
		return
	}
	m.secrets = append(m.secrets, []byte(secret))
	m.first[secret[0]] = true
}

func (m *masker) isEmpty() bool { return m == nil || len(m.secrets) == 0 }

// text returns a whole text with its secrets masked.
func (m *masker) text(text string) string {
	if m.isEmpty() {
		return text
	}
	s := maskStream{masker: m}
	return string(s.write([]byte(text))) + string(s.end())
}

// beginning returns the beginning of a text with its secrets masked, up to what may be the beginning of a
// secret.
func (m *masker) beginning(text string) string {
	if m.isEmpty() {
		return text
	}
	s := maskStream{masker: m}
	return string(s.write([]byte(text)))
}

// match returns the length of the longest secret at the beginning of text, or 0. incomplete reports whether
// text ends within a longer one.
func (m *masker) match(text []byte) (length int, incomplete bool) {
	if !m.first[text[0]] {
		return 0, false
	}
	for _, secret := range m.secrets {
		switch {
		case bytes.HasPrefix(text, secret):
			return len(secret), incomplete
		case len(text) < len(secret) && bytes.HasPrefix(secret, text):
			incomplete = true
		}
	}
	return 0, incomplete
}

// maskStream masks secrets in a stream, also those that two writes split. Secrets that overlap are masked as
// one.
type maskStream struct {
	*masker
	held   []byte // may be the beginning of a secret
	masked int    // bytes at the beginning of held that belong to a secret which is already masked
}

// write returns what can be shown of the stream so far, after p.
func (s *maskStream) write(p []byte) []byte {
	if s.isEmpty() {
		return p
	}
	return s.replace(append(s.held, p...), false)
}

// end returns what write has held back.
func (s *maskStream) end() []byte {
	if len(s.held) == 0 {
		return nil
	}
	return s.replace(s.held, true)
}

// replace returns text with its secrets masked. Unless last is set it holds back what may be the beginning of
// a secret.
func (s *maskStream) replace(text []byte, last bool) []byte {
	shown := make([]byte, 0, len(text)+len(mask))
	for ; len(text) > 0; text = text[1:] {
		length, incomplete := s.match(text)
		if incomplete && !last {
			break
		}
		if length > 0 && s.masked == 0 {
			shown = append(shown, mask...)
		}
		s.masked = max(s.masked, length)
		if s.masked == 0 {
			shown = append(shown, text[0])
			continue
		}
		s.masked--
	}
	s.held = slices.Clone(text)
	return shown
}
