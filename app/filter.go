package app

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Filter selects runs. It is comparable. The zero Filter matches all runs.
type Filter struct {
	// Filtered limits the runs to those in Status.
	Filtered bool
	Status   Status
	// Kind is the kind of the runs; "" matches every kind.
	Kind string
	// Since and Until bound when a run was created: at or after Since, and before Until.
	Since, Until TimeBound
	// Failure is the ID of a Failure that the runs failed with, or 0.
	Failure int64
	// Text is a list of words, all of which must appear in the error or the log of a run. The final word may
	// be the beginning of a longer one. Bulk runs have no searchable text.
	Text string
	// Inputs are values that the inputs of the runs have.
	Inputs InputFilter
}

// StatusOnly reports whether the filter limits nothing but the status.
func (f Filter) StatusOnly() bool { return f == Filter{Filtered: f.Filtered, Status: f.Status} }

// RunNumber returns the number of the run that the text is, as in "#42", and whether it is one.
func (f Filter) RunNumber() (id int64, named bool) {
	digits, marked := strings.CutPrefix(f.Text, "#")
	number, err := strconv.ParseUint(digits, 10, 63)
	return int64(number), marked && err == nil && number > 0
}

// Limits of filter values.
const (
	MaxKind = 100 // bytes
	MaxText = 200 // characters, as fields of pages count them
)

// ParseKind parses the kind of a filter. Unknown kinds are valid, because there are runs of kinds that are no
// longer offered. It fails with CodeMalformed.
func ParseKind(text string) (string, error) {
	if len(text) > MaxKind || !readable(text) {
		return "", Errorf(CodeMalformed, "The kind is at most %d bytes of text.", MaxKind)
	}
	return text, nil
}

// ErrNothingToSearch refuses a search that could not match anything.
var ErrNothingToSearch = Errorf(CodeMalformed,
	"Enter a word to search for: only letters and digits are searched, not symbols and emoji.")

// ParseText parses the text of a filter and joins its words with single spaces. It fails with CodeMalformed,
// also if a text that is not empty has no letter and no digit.
func ParseText(text string) (string, error) {
	if utf8.RuneCountInString(text) > MaxText || !readable(text) {
		return "", Errorf(CodeMalformed, "The search text is at most %d characters of text.", MaxText)
	}
	text = strings.Join(strings.Fields(text), " ")
	if text != "" && !strings.ContainsFunc(text, isSearched) {
		return "", ErrNothingToSearch
	}
	return text, nil
}

func isSearched(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func readable(text string) bool {
	isControl := func(r rune) bool { return unicode.IsControl(r) && r != '\t' }
	return utf8.ValidString(text) && !strings.ContainsFunc(text, isControl)
}
