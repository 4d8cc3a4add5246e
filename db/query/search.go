package query

import (
	"context"
	"slices"
	"strings"

	"runboard/app"
)

// Texts is how a database finds runs by the words of their errors and logs. Its index has a row for the error of a run
// and one for each part of its log.
type Texts struct {
	// Having names the rows of the index that have a term, as what follows FROM. Its argument is Spell.
	Having string
	// Run is the expression for the id of the run that a row is of.
	Run string
	// Listed returns a query for the ids that another query finds, which makes sure that the database runs that one first
	// and by itself, and then looks up runs by their ids.
	Listed func(ids string) string
	// Spell asks for rows that have one of these terms or, if open, one that begins with it.
	Spell func(terms []string, open bool) string
}

// Searched is about how many rows of the index are looked at for the runs of one page, unless a Board says otherwise:
// 50 ms. A tenth of it are looked at to count them, and four times as many for the preview of a bulk action.
const Searched = 50_000

// mostBlocks is how many blocks are asked for at once, while they have few matches.
const mostBlocks = 32

// countRows counts the rows that have a term.
func (t Texts) countRows() string { return "SELECT COUNT(*) FROM " + t.Having }

// areFound is the condition that a run has so many terms.
func (t Texts) areFound(terms int) string {
	one := "SELECT " + t.Run + " FROM " + t.Having
	return "id IN (" + t.Listed(one+strings.Repeat(" INTERSECT "+one, terms-1)) + ")"
}

// NeverSearched reports whether the texts of runs of a kind are not searched: bulk actions tell of searches, and must not
// be found by them.
func NeverSearched(kind string) bool { return slices.Contains(app.BulkKinds(), kind) }

// parseTerms returns the words that the text of a search asks for, if it can be searched for.
func (b *Board) parseTerms(text string) ([]Term, error) {
	if b.CannotSearch != nil {
		if err := b.CannotSearch(); err != nil {
			return nil, err
		}
	}
	return ParseTerms(text)
}

// search is one way through the runs of a list, block by block, for those that have all its terms.
type search struct {
	*list
	left      Span // the runs that have not been looked at
	ascending bool
	blocks    int64 // how many are looked at next
}

// search returns the first limit runs of a span that have the words. If many rows have to be looked at it stops before
// it has found as many: searchedTo is then where to go on, else 0.
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

// countFound counts by status the runs that have the words and meet a condition, until about so many rows have been
// looked at, and says whether there may be more.
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

// through calls look with the condition for each part in which all words are found, until it returns false, or about so
// many rows of the index have been looked at. It reports whether there is more in what is left.
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

// next is the first run that is left in the sections of the list. So blocks without any are left out. Whether it meets
// further conditions is not asked: millions may not.
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

// goOnAt has nothing left before a run.
func (s *search) goOnAt(run int64) {
	if s.ascending {
		s.left.After = run - 1
	} else {
		s.left.Before = beyond(run)
	}
}

// take takes away from what is left some blocks, the first of which has a run.
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

// beforeBlock is the first id of a block, which may be too high for an id.
func beforeBlock(block int64) int64 {
	if block > everywhere.Before/BlockSize {
		return everywhere.Before
	}
	return block * BlockSize
}

// lookUp counts the rows of some blocks that have the words, and reports whether each word is found.
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

// spell asks for a term in some blocks.
func (l *list) spell(term Term, blocks []int64) string {
	terms := make([]string, len(blocks))
	for i, block := range blocks {
		terms[i] = blockTerm(block) + term.Text
	}
	return l.Spell(terms, term.Open)
}

// condition is one that runs must meet, with an AND at its end.
type condition struct {
	text string
	args []any
}

// condition is that of runs in a part: what the filter asks for, and all words.
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

// span is the condition that a run is in a span, by each of the columns with its id: indexes have one or the other.
func (l *list) span() string {
	text := "id > ? AND id < ? AND "
	if l.place != "id" {
		text += l.place + " > ? AND " + l.place + " < ? AND "
	}
	return text
}

// conditions are those of all sections in one: runs with the words are looked up by their ids.
func (l *list) conditions() (all condition) {
	var any []string
	for _, section := range l.sections {
		any = append(any, section.where+"TRUE")
		all.args = append(all.args, section.args...)
	}
	all.text = "(" + strings.Join(any, " OR ") + ") AND "
	return all
}
