package app

import (
	"strings"
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
	Since, Until TimeBound
	// Failure is what the runs must have failed with, see Failure, or 0.
	Failure int64
	// Text is words that the error and the log of a run must have, all of them, or "". The last one may be the
	// beginning of a longer word. The texts of bulk actions are not searched.
	Text string
}

// Plain reports whether nothing but a status is asked for.
func (f Filter) StatusOnly() bool { return f == Filter{Filtered: f.Filtered, Status: f.Status} }

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

// ErrNothingToSearch is why a search is refused that could find nothing.
var ErrNothingToSearch = Errorf(CodeMalformed, "Enter a word to search for: only letters and digits are searched, not symbols and emoji.")

// ParseText returns the words that a filter asks for, with single blanks between them. It fails with CodeMalformed,
// also if there is no letter or digit in what is not empty.
func ParseText(text string) (string, error) {
	if len(text) > MaxText || !readable(text) {
		return "", Errorf(CodeMalformed, "What is searched for is at most %d bytes of text.", MaxText)
	}
	text = strings.Join(strings.Fields(text), " ")
	if text != "" && !strings.ContainsFunc(text, isSearched) {
		return "", ErrNothingToSearch
	}
	return text, nil
}

func isSearched(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func readable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
}
