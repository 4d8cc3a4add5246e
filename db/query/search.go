package query

import (
	"context"
	"slices"
	"strings"

	"runboard/app"
)

// Texts describes how a database finds runs by the words of their errors and logs. The search index has one
// row for the error of a run, and one for each part of its log.
type Texts struct {
	// Having follows FROM to select the index rows with a term. Its argument is the result of Spell.
	Having string
	// Run is the expression for the run id of an index row.
	Run string
	// Listed wraps a query for ids, so that the database runs it first and on its own, and then looks up the
	// runs by id.
	Listed func(ids string) string
	// Spell returns the search expression for rows that have one of the terms or, if open, a term that begins
	// with one of them.
	Spell func(terms []string, open bool) string
}

// Searched is the default of Board.Searched: about the number of index rows that the search for one page
// looks at, in 50 ms. Counting the matches looks at a tenth of it, and the preview of a bulk action at four
// times as many.
const Searched = 50_000

// mostBlocks is the largest number of blocks that one query covers while matches are rare.
const mostBlocks = 32

// countRows returns the query for the number of index rows with a term.
func (t Texts) countRows() string { return "SELECT COUNT(*) FROM " + t.Having }

// areFound returns the condition that a run has all of a given number of terms.
func (t Texts) areFound(terms int) string {
	one := "SELECT " + t.Run + " FROM " + t.Having
	return "id IN (" + t.Listed(one+strings.Repeat(" INTERSECT "+one, terms-1)) + ")"
}

// NeverSearched reports whether texts of this kind are not indexed. The texts of bulk actions contain the
// words of their filters, so a search would find them.
func NeverSearched(kind string) bool { return slices.Contains(app.BulkKinds(), kind) }

// parseTerms returns the terms of a search text. It fails if this database cannot search, or if the text
// contains no words.
func (b *Board) parseTerms(text string) ([]Term, error) {
	if b.CannotSearch != nil {
		if err := b.CannotSearch(); err != nil {
			return nil, err
		}
	}
	return ParseTerms(text)
}

// search walks through the runs of a list, block by block, for those that have all terms.
type search struct {
	*list
	left      Span // ids that are not searched yet
	ascending bool
	blocks    int64 // number of blocks to take next
}

// search returns the first limit runs of a span that have all terms. It stops early if it has looked at too
// many index rows: searchedTo is then the cursor to continue from, and 0 otherwise.
func (l *list) search(ctx context.Context, in Span, ascending bool, limit int) (runs []app.ProcessRun, searchedTo int64, err error) {
	runs = []app.ProcessRun{}
	s := search{list: l, left: in, ascending: ascending, blocks: 1}
	more, err := s.through(ctx, l.searched, func(part condition) (bool, error) {
		text := "SELECT " + Columns + " FROM process_runs WHERE " + part.text + "TRUE ORDER BY id " + direction(ascending) + " LIMIT ?"
		some, err := ReadRuns(ctx, l.from, text, append(part.args, limit-len(runs))...)
		runs = append(runs, some...)
		return err == nil && len(runs) < limit, err
	})
	switch {
	case err != nil || !more || len(runs) == limit:
		return runs, 0, err
	case ascending:
		return runs, s.left.After, nil
	}
	return runs, s.left.Before, nil
}

// countFound counts the matches by status until it has looked at about rows index rows. more reports whether
// there may be others.
func (l *list) countFound(ctx context.Context, rows int64) (counts app.Counts, more bool, err error) {
	s := search{list: l, left: l.all, blocks: 1}
	more, err = s.through(ctx, rows, func(part condition) (bool, error) {
		text := "SELECT status, COUNT(*) AS n FROM process_runs WHERE " + part.text + "TRUE GROUP BY status"
		some, err := CountBy(ctx, l.from, text, part.args...)
		for status, n := range some {
			counts[status] += n
		}
		return err == nil, err
	})
	return counts, more, err
}

// through calls look with a condition for each part of the ids in which all terms occur, until look returns
// false or about rows index rows have been read. It reports whether runs may be left.
func (s *search) through(ctx context.Context, rows int64, look func(condition) (bool, error)) (more bool, err error) {
	for {
		run, found, err := s.next(ctx)
		if err != nil || !found {
			return false, err
		}
		if rows <= 0 {
			s.goOnAt(run)
			return true, nil
		}
		part, blocks := s.take(run)
		looked, hit, err := s.lookUp(ctx, blocks)
		if err != nil {
			return false, err
		}
		rows -= looked
		if looked > BlockSize/2 {
			s.blocks = 1
		} else {
			s.blocks = min(2*s.blocks, mostBlocks)
		}
		if !hit {
			continue
		}
		if goOn, err := look(s.condition(part, blocks)); err != nil || !goOn {
			return true, err
		}
	}
}

// next returns the first unsearched run in the sections of the list, so that blocks without runs are skipped.
// It does not apply further conditions: millions of runs may fail them.
func (s *search) next(ctx context.Context) (run int64, found bool, err error) {
	for _, section := range s.indexed {
		var id int64
		some, err := Find(ctx, s.from, &id, section.text("id", s.ascending), section.With(s.left, 1)...)
		if err != nil {
			return 0, false, err
		}
		if some && (!found || s.ascending == (id < run)) {
			run, found = id, true
		}
	}
	return run, found, nil
}

// goOnAt moves the start of the unsearched ids to a run.
func (s *search) goOnAt(run int64) {
	if s.ascending {
		s.left.After = run - 1
	} else {
		s.left.Before = beyond(run)
	}
}

// take removes the next blocks from the unsearched ids, beginning with the block of a run. It returns the ids
// and the numbers of these blocks.
func (s *search) take(run int64) (part Span, blocks []int64) {
	first, part := run/BlockSize, s.left
	last := first
	if s.ascending {
		last = first + s.blocks - 1
		part.Before = min(part.Before, beforeBlock(last+1))
		s.left.After = part.Before - 1
	} else {
		first = max(0, first-s.blocks+1)
		part.After = max(part.After, first*BlockSize-1)
		s.left.Before = part.After + 1
	}
	for block := last; block >= first; block-- {
		blocks = append(blocks, block)
	}
	return part, blocks
}

// beforeBlock returns the first id of a block, or the largest id if that would overflow.
func beforeBlock(block int64) int64 {
	if block > everywhere.Before/BlockSize {
		return everywhere.Before
	}
	return block * BlockSize
}

// lookUp returns how many index rows of some blocks have the terms, and whether each term occurs. It stops at
// the first term without rows.
func (s *search) lookUp(ctx context.Context, blocks []int64) (rows int64, hit bool, err error) {
	for _, term := range s.terms {
		asked := s.spell(term, blocks)
		n, known := s.counted[asked]
		if !known {
			if err := Get(ctx, s.from, &n, s.countRows(), asked); err != nil {
				return 0, false, err
			}
			s.counted[asked] = n
		}
		if rows += n; n == 0 {
			return rows, false, nil
		}
	}
	return rows, true, nil
}

// spell returns the search expression for a term in some blocks.
func (l *list) spell(term Term, blocks []int64) string {
	terms := make([]string, len(blocks))
	for i, block := range blocks {
		terms[i] = blockTerm(block) + term.Text
	}
	return l.Spell(terms, term.Open)
}

// condition is a part of a WHERE clause that ends with AND, and its arguments.
type condition struct {
	text string
	args []any
}

// condition returns the condition for the runs of a part that match the filter and have all terms.
func (s *search) condition(part Span, blocks []int64) condition {
	all := s.conditions()
	all.text += s.span()
	all.args = append(all.args, part.After, part.Before)
	if s.place != "id" {
		all.args = append(all.args, part.After, part.Before)
	}
	all.text += s.areFound(len(s.terms)) + " AND "
	for _, term := range s.terms {
		all.args = append(all.args, s.spell(term, blocks))
	}
	return all
}

// span returns the condition that a run is in a span, by the id and by Dialect.Place: an index has one column
// or the other.
func (l *list) span() string {
	text := "id > ? AND id < ? AND "
	if l.place != "id" {
		text += l.place + " > ? AND " + l.place + " < ? AND "
	}
	return text
}

// conditions joins the conditions of all sections with OR. That is cheap here, because matches are looked up
// by id.
func (l *list) conditions() (all condition) {
	var any []string
	for _, section := range l.sections {
		any = append(any, section.where+"TRUE")
		all.args = append(all.args, section.args...)
	}
	all.text = "(" + strings.Join(any, " OR ") + ") AND "
	return all
}
