package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"runboard/db/rows"
)

// errorPart is the part of a run's texts that is its error. Those of its log follow.
const errorPart = 0

const (
	setWords = `INSERT INTO run_texts AS kept (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
		ON CONFLICT (run_id, part) DO UPDATE SET words = excluded.words`
	moreWords = `INSERT INTO run_texts AS kept (run_id, part, words) VALUES ($1, $2, array_to_tsvector($3::text[]))
		ON CONFLICT (run_id, part) DO UPDATE SET words = kept.words || excluded.words`
	matchesAny = `SELECT EXISTS (SELECT 1 FROM run_texts WHERE words @@ ?::tsquery)`
)

// maxWord is the length in bytes to which words are cut: PostgreSQL keeps no longer ones than 2 KB.
const maxWord = 250

// wordsOf are the words of a text, each once: runs of letters and digits, in small letters and without accents.
func wordsOf(text string) (words []string) {
	for _, word := range strings.FieldsFunc(plain(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		if len(word) > maxWord {
			word = strings.ToValidUTF8(word[:maxWord], "")
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// plain is a text in small letters and without accents.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text))
}

// index writes a text of a run down for searches: an error instead of the one before, and what comes to a part of its log.
func (tx *transaction) index(run, part int64, text string) error {
	words := wordsOf(text)
	if words == nil {
		words = []string{}
	}
	if part == errorPart {
		return tx.exec(setWords, run, part, words)
	}
	return tx.exec(moreWords, run, part, words)
}

// nothing asks for a sign that no word has.
const nothing = "'-'"

// match asks for all words of a text or, when nothing has them all, for those whose last one goes on: so a part of a
// word is found as well.
func match(ctx context.Context, from rows.Reader, text string) (string, error) {
	var words []string
	for word := range strings.FieldsSeq(text) {
		words = append(words, wordsOf(word)...)
	}
	if len(words) == 0 {
		return nothing, nil
	}
	match := "'" + strings.Join(words, "' & '") + "'"
	var found bool
	if err := rows.Get(ctx, from, &found, matchesAny, match); err != nil || found {
		return match, err
	}
	return match + ":*", nil
}

const (
	// rare is how many rows have words at most that the index finds, as far as the planner knows. Of more it would first gather
	// all; these are looked for one by one from an end on, which finds the first ones fast.
	rare = 2000
	// lookThrough is how many rows are looked through for words that are not rare, but may never stand together: it takes
	// some tenths of a second.
	lookThrough = 100_000

	estimate = `EXPLAIN (FORMAT JSON) SELECT 1 FROM run_texts WHERE words @@ ?::tsquery`
)

// within is as much of some rows as can be looked through, if the words are not rare.
func within(ctx context.Context, from rows.Reader, match string, all rows.RowSpan, ascending bool) (rows.RowSpan, error) {
	var plan string
	if err := rows.Get(ctx, from, &plan, estimate, match); err != nil {
		return all, err
	}
	var plans []struct {
		Plan struct {
			Rows int64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal([]byte(plan), &plans); err != nil || len(plans) == 0 || plans[0].Plan.Rows <= rare {
		return all, err
	}
	text := "SELECT run_id FROM run_texts WHERE run_id >= ? AND run_id < ? ORDER BY run_id DESC LIMIT 1 OFFSET ?"
	if ascending {
		text = strings.Replace(text, " DESC", "", 1)
	}
	var end int64
	found, err := rows.Find(ctx, from, &end, text, all.First, all.Before, lookThrough)
	switch {
	case err != nil || !found:
		return all, err
	case ascending:
		return rows.RowSpan{First: all.First, Before: end}, nil
	}
	return rows.RowSpan{First: end, Before: all.Before}, nil
}
