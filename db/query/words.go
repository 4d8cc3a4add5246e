package query

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"runboard/app"
)

// All databases index the same terms: this package splits texts into words, so that every store finds the
// same runs. A term is a block of runs followed by a word. A database that collects all matches of a term
// before it returns the first, as both do for the beginning of a word, therefore collects only those of one
// block.

// BlockSize is the number of consecutive ids in a block. Larger blocks make frequent words slower to find,
// smaller ones make rare words slower. Measured with 4096 and a million runs in SQLite: a page takes 10 to 30
// ms for either.
const BlockSize = 4096

const (
	// maxWord is the length in bytes to which words are cut. PostgreSQL accepts none over 2 KB.
	maxWord = 250
	// gram is the largest number of characters of a term in a script that is written without spaces.
	gram = 3
	// initial ends the term that stands for all words with the same first character. It occurs in no word.
	initial = "·"
)

// Term is a word of a search.
type Term struct {
	Text   string
	Prefix bool // whether it also matches longer words that begin with it
}

// ParseTerms returns the terms of a search text, the longest first, because it is probably the rarest. A run
// matches if its error and its log together have all terms. The word at the end may be the beginning of a
// longer one. ParseTerms fails with CodeMalformed if the text has no letter or digit.
func ParseTerms(text string) (terms []Term, err error) {
	text = fold(text)
	found := strings.FieldsFunc(text, isSeparator)
	for i, field := range found {
		last := i == len(found)-1
		eachScript(field, func(word string, unspaced, ends bool) {
			if unspaced {
				terms = append(terms, grams(word)...)
				return
			}
			terms = append(terms, wordTerm(cut(word), last && ends))
		})
	}
	if len(terms) == 0 {
		return nil, app.ErrNothingToSearch
	}
	slices.SortFunc(terms, func(a, b Term) int {
		return cmp.Or(cmp.Compare(len(b.Text), len(a.Text)), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(terms), nil
}

func wordTerm(word string, open bool) Term {
	if open && utf8.RuneCountInString(word) == 1 { // many words begin with it, so it has a term of its own
		return Term{Text: word + initial}
	}
	return Term{Text: word, Prefix: open}
}

// grams returns the terms for a part of an unspaced text: every three adjacent characters.
func grams(word string) (terms []Term) {
	chars := []rune(word)
	if len(chars) < gram {
		return []Term{{Text: word, Prefix: true}}
	}
	for i := range len(chars) - gram + 1 {
		terms = append(terms, Term{Text: string(chars[i : i+gram])})
	}
	return terms
}

// Terms returns the distinct index terms for a text of a run.
func Terms(run int64, text string) []string {
	found := termSet{
		block: blockTerm(run / BlockSize), words: map[string]bool{}, initials: map[string]bool{},
		terms: []string{},
	}
	for field := range strings.FieldsFuncSeq(fold(text), isSeparator) {
		eachScript(field, func(word string, unspaced, _ bool) {
			if unspaced {
				found.addGrams(word)
				return
			}
			_, first := utf8.DecodeRuneInString(word)
			found.add(found.words, cut(word), "")
			found.add(found.initials, word[:first], initial)
		})
	}
	return found.terms
}

// termSet collects the distinct terms of a text.
type termSet struct {
	block           string
	words, initials map[string]bool
	terms           []string
}

func (s *termSet) add(known map[string]bool, word, end string) {
	if !known[word] {
		known[word] = true
		s.terms = append(s.terms, s.block+word+end)
	}
}

// addGrams adds one term for each character of a word: the character and up to two that follow it.
func (s *termSet) addGrams(word string) {
	chars := []rune(word)
	for i := range chars {
		s.add(s.words, string(chars[i:min(i+gram, len(chars))]), "")
	}
}

// blockTerm returns the prefix of the terms of a block. No prefix is the beginning of another one: its first
// character encodes its length.
func blockTerm(block int64) string {
	number := strconv.FormatInt(block, 36)
	return string(rune('a'+len(number))) + number
}

func cut(word string) string {
	if len(word) <= maxWord {
		return word
	}
	return strings.ToValidUTF8(word[:maxWord], "")
}

// fold returns text in lower case and without accents. It replaces compatibility characters, such as
// full-width ones, by their usual form.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	text = norm.NFKD.String(strings.Map(withoutSymbols, text))
	return norm.NFKC.String(strings.ReplaceAll(strings.Map(withoutAccents, text), "ß", "ss"))
}

// withoutSymbols replaces symbols, punctuation and separators outside ASCII by spaces, even symbols that
// decompose into letters, as ™ does.
func withoutSymbols(r rune) rune {
	if r >= utf8.RuneSelf && unicode.In(r, unicode.S, unicode.P, unicode.Z) {
		return ' '
	}
	return r
}

func withoutAccents(r rune) rune {
	switch {
	case isAccent(r) || unicode.Is(unicode.Cf, r):
		return -1
	case r == 'ς':
		return 'σ'
	}
	return unicode.ToLower(r)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isAccent reports whether a mark can be dropped. The marks of scripts such as Thai and Devanagari are
// vowels, and those of Japanese make another letter.
func isAccent(r rune) bool {
	const voiced, semiVoiced = '\u3099', '\u309a'
	if r == voiced || r == semiVoiced {
		return false
	}
	return unicode.In(r, unicode.Mn, unicode.Me) && unicode.In(r, unicode.Inherited, unicode.Hebrew)
}

// isSeparator reports whether a character separates words.
func isSeparator(r rune) bool {
	if r < utf8.RuneSelf {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	}
	return !unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// isUnspaced reports whether a character belongs to a script without spaces between words or, as in Korean,
// with endings, so that a search must find every part of a text.
func isUnspaced(r rune) bool {
	if r < 0x0e00 { // the first character of Thai
		return false
	}
	const prolonged, closing = 'ー', '〆' // these belong to no script
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == prolonged || r == closing
}

// eachScript calls f with the parts of a word between which the script changes between spaced and unspaced.
// ends reports whether the part is the last one.
func eachScript(word string, f func(part string, unspaced, ends bool)) {
	begin, unspaced := 0, false
	for i, r := range word {
		now := isUnspaced(r) || unspaced && unicode.Is(unicode.M, r)
		if i > begin && now != unspaced {
			f(word[begin:i], unspaced, false)
			begin = i
		}
		unspaced = now
	}
	f(word[begin:], unspaced, true)
}

// LastWord returns the unfinished word at the end of a text, or "".
func LastWord(text string) string {
	end := strings.LastIndexFunc(text, isSeparator)
	if end < 0 {
		return text
	}
	_, size := utf8.DecodeRuneInString(text[end:])
	return text[end+size:]
}

// FirstWord returns the word at the beginning of a text, or "".
func FirstWord(text string) string {
	if end := strings.IndexFunc(text, isSeparator); end >= 0 {
		return text[:end]
	}
	return text
}
