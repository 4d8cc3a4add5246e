package jobs

import (
	"bytes"
	"slices"
	"strings"
)

const (
	// minMasked is the length from which a secret is masked. Shorter ones would mask ordinary text, and show
	// what they are by what is masked.
	minMasked = 8
	mask      = "•••"
)

// masker replaces secrets in text. Its zero value and nil mask nothing.
type masker struct {
	secrets [][]byte // longest first
	first   [256]bool
}

// newMasker returns a masker for these secrets, and for each of their lines. Those under minMasked bytes are
// not masked.
func newMasker(secrets []string) *masker {
	m := &masker{}
	for _, secret := range secrets {
		m.add(secret)
		for line := range strings.Lines(secret) {
			m.add(strings.TrimRight(line, "\r\n"))
		}
	}
	slices.SortStableFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

func (m *masker) add(secret string) {
	isKnown := func(s []byte) bool { return string(s) == secret }
	if len(secret) < minMasked || slices.ContainsFunc(m.secrets, isKnown) {
		return
	}
	m.secrets = append(m.secrets, []byte(secret))
	m.first[secret[0]] = true
}

// text returns a whole text with its secrets masked.
func (m *masker) text(text string) string {
	if m == nil || len(m.secrets) == 0 {
		return text
	}
	masked, _ := m.replace(nil, []byte(text), true)
	return string(masked)
}

// replace appends text to masked with its secrets masked. Unless last is set it stops before what may be the
// beginning of a secret, and returns that rest.
func (m *masker) replace(masked, text []byte, last bool) (_, rest []byte) {
	for i := 0; i < len(text); {
		if !m.first[text[i]] {
			masked = append(masked, text[i])
			i++
			continue
		}
		length, incomplete := m.match(text[i:])
		switch {
		case incomplete && !last:
			return masked, text[i:]
		case length > 0:
			masked = append(masked, mask...)
			i += length
		default:
			masked = append(masked, text[i])
			i++
		}
	}
	return masked, nil
}

// match returns the length of the longest secret at the beginning of text, or 0. incomplete reports whether text
// ends within a longer one.
func (m *masker) match(text []byte) (length int, incomplete bool) {
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

// maskStream masks secrets in a stream, also those that two writes split.
type maskStream struct {
	*masker
	held []byte // may be the beginning of a secret
}

// write returns what can be shown of the stream so far, after p.
func (s *maskStream) write(p []byte) []byte {
	if s.masker == nil || len(s.secrets) == 0 {
		return p
	}
	masked, rest := s.replace(nil, append(s.held, p...), false)
	s.held = slices.Clone(rest)
	return masked
}

// end returns what write has held back.
func (s *maskStream) end() []byte {
	if len(s.held) == 0 {
		return nil
	}
	masked, _ := s.replace(nil, s.held, true)
	s.held = nil
	return masked
}
