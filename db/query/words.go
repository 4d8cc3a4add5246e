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

// The index of words is the same in every database: texts are split into words here, so every store finds the same
// runs. A term of the index is a block of runs followed by a word. So a database that collects all matches of a term
// before it returns the first one, as both do for the beginning of a word, collects those of one block.

// BlockSize is how many consecutive ids share a block. Larger blocks make frequent words slower to find, smaller ones
// rare words. Measured with 4096 and a million runs in SQLite: a page takes 10 to 30 ms either way.
const BlockSize = 4096

const (
	// maxWord is the length in bytes to which words are cut. PostgreSQL keeps none over 2 KB.
	maxWord = 250
	// gram is how many characters a term has at most in a script that is written without spaces.
	gram = 3
	// initial follows the first character of a word in a term for all words that begin with it. It is no part of words.
	initial = "·"
)

// Term is a word that a search asks for.
type Term struct {
	Text string
	Open bool // whether longer words that begin with it are found as well
}

// ParseTerms returns the words that the text of a search asks for, the longest first, because it is likely the rarest.
// A run is found if its error and its log have them all. The last word may be the beginning of a longer one. It fails
// with CodeMalformed if the text has no letter or digit.
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
	if open && utf8.RuneCountInString(word) == 1 { // it has a term of its own, because it begins many words
		return Term{Text: word + initial}
	}
	return Term{Text: word, Open: open}
}

// grams are the terms for a part of an unspaced text: each three neighbouring characters of it.
func grams(word string) (terms []Term) {
	chars := []rune(word)
	if len(chars) < gram {
		return []Term{{Text: word, Open: true}}
	}
	for i := range len(chars) - gram + 1 {
		terms = append(terms, Term{Text: string(chars[i : i+gram])})
	}
	return terms
}

// Terms returns the terms of the index for a text of a run, each once.
func Terms(run int64, text string) []string {
	found := termSet{block: blockTerm(run / BlockSize), words: map[string]bool{}, initials: map[string]bool{}, terms: []string{}}
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

// termSet gathers the terms of a text.
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

// addGrams adds a term for each character of a word, with up to two that follow it.
func (s *termSet) addGrams(word string) {
	chars := []rune(word)
	for i := range chars {
		s.add(s.words, string(chars[i:min(i+gram, len(chars))]), "")
	}
}

// blockTerm begins the terms of a block. None begins another one: the first character says how many follow.
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

// fold returns a text in lower case and without accents, with compatibility characters, such as full-width ones, in
// their usual form.
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	text = norm.NFKD.String(strings.Map(withoutSymbols, text))
	return norm.NFKC.String(strings.ReplaceAll(strings.Map(withoutAccents, text), "ß", "ss"))
}

// withoutSymbols has a symbol separate words, also if it consists of letters, as ™ does.
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

// isAccent reports whether a mark can be left out. The marks of scripts such as Thai and Devanagari are vowels, and
// those of Japanese make another letter.
func isAccent(r rune) bool {
	const voiced, semiVoiced = '\u3099', '\u309a'
	return unicode.In(r, unicode.Mn, unicode.Me) && unicode.In(r, unicode.Inherited, unicode.Hebrew) && r != voiced && r != semiVoiced
}

// isSeparator reports whether a character is part of no word.
func isSeparator(r rune) bool {
	if r < utf8.RuneSelf {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	}
	return !unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// isUnspaced reports whether a character is of a script in which words follow each other without spaces, or, as in
// Korean, have endings, so that each part of a text must be found.
func isUnspaced(r rune) bool {
	if r < 0x0e00 { // the first of Thai
		return false
	}
	const prolonged, closing = 'ー', '〆' // which are of no script
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) || r == prolonged || r == closing
}

// eachScript calls f with the parts of a word between which the script changes, and says whether a part is unspaced,
// and whether it ends the word.
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

// FirstWord returns the word that a text begins with, or "".
func FirstWord(text string) string {
	if end := strings.IndexFunc(text, isSeparator); end >= 0 {
		return text[:end]
	}
	return text
}
