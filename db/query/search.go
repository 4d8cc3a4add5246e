package query

import (
	"fmt"
	"slices"
	"strings"

	"runboard/app"
)

// defaultSearchLimit is about the number of index rows that the search for one page looks at, in 50 ms.
// Counting the matches looks at a tenth of it, and the preview of a bulk action at four times as many.
const defaultSearchLimit = 50_000

// maxBlocks is the largest number of blocks that one query covers while matches are rare.
const maxBlocks = 32

// ErrorPart is the part number of the error of a run in the search index. The parts of its log follow: each
// has LogPart.Part+1.
const ErrorPart = 0

// NeverSearched reports whether texts of this kind are not indexed. The texts of bulk actions contain the
// words of their filters, so a search would find them.
func NeverSearched(kind string) bool { return slices.Contains(app.BulkKinds(), kind) }

// search walks through the runs of a list, some blocks at a time, for those that have all terms.
type search struct {
	progress
	size   int64   // number of blocks to take next
	blocks []int64 // numbers of the current blocks
}

// next moves to the next blocks in which all terms occur. It returns false at the end, and at the limit.
func (s *search) next() bool {
	for {
		run, found := s.firstRun()
		if !found {
			return false
		}
		if s.limit <= 0 {
			s.stopAt(run)
			return false
		}
		s.take(run)
		if s.lookUp() {
			return true
		}
	}
}

// firstRun returns a run before which no unsearched run is in all sets of the list, so that blocks without
// such runs are skipped. It does not apply further conditions: millions of runs may fail them.
func (s *search) firstRun() (run int64, found bool) {
	for i, set := range s.sets() {
		first, exists := s.firstOf(set)
		if !exists {
			return 0, false
		}
		if i == 0 || s.ascending == (first > run) {
			run = first
		}
	}
	return run, s.err == nil
}

// firstOf returns the first unsearched run of a set.
func (s *search) firstOf(set []IndexScan) (run int64, found bool) {
	for _, scan := range set {
		var id int64
		exists := s.get(&id, scan.selectSQL(scan.sortKey, s.ascending), scan.Args(s.left, 1)...)
		if exists && (!found || s.ascending == (id < run)) {
			run, found = id, true
		}
	}
	return run, found
}

// take removes the next blocks from the unsearched ids, beginning with the block of a run.
func (s *search) take(run int64) {
	s.part, s.blocks = s.left, nil
	first := run / BlockSize
	last := first
	if s.ascending {
		last = first + s.size - 1
		s.part.Before = min(s.part.Before, firstOfBlock(last+1))
		s.left.After = s.part.Before - 1
	} else {
		first = max(0, first-s.size+1)
		s.part.After = max(s.part.After, firstOfBlock(first)-1)
		s.left.Before = s.part.After + 1
	}
	for block := last; block >= first; block-- {
		s.blocks = append(s.blocks, block)
	}
}

// firstOfBlock returns the first id of a block, or the largest id if that would overflow.
func firstOfBlock(block int64) int64 {
	if block > allIDs.Before/BlockSize {
		return allIDs.Before
	}
	return block * BlockSize
}

// lookUp reports whether all terms occur in the current blocks. It subtracts the number of their index rows
// from the limit, and takes more blocks the next time if there were few.
func (s *search) lookUp() bool {
	looked, missing := int64(0), false
	for i := 0; i < len(s.terms) && !missing; i++ {
		rows := s.countRows(s.expression(s.terms[i]))
		looked += rows
		missing = rows == 0
	}
	s.limit -= looked
	s.size = min(2*s.size, maxBlocks)
	if looked > BlockSize/2 {
		s.size = 1
	}
	return !missing
}

// countRows returns the number of index rows of a search expression.
func (l *list) countRows(expression string) int64 {
	rows, known := l.counted[expression]
	if !known {
		l.get(&rows, "SELECT COUNT(*) FROM "+l.dialect.SearchRows, expression)
		l.counted[expression] = rows
	}
	return rows
}

// expression returns the search expression for a term in the current blocks.
func (s *search) expression(term Term) string {
	terms := make([]string, len(s.blocks))
	for i, block := range s.blocks {
		terms[i] = blockTerm(block) + term.Text
	}
	return s.db.SearchExpression(terms, term.Prefix)
}

// matches implements walk. The range is given by the id and by Dialect.SortKey: an index has one column or
// the other.
func (s *search) matches() (from string, args []any) {
	condition, args := s.anyScan()
	from = "process_runs WHERE " + condition + " AND id > ? AND id < ?"
	args = append(args, s.part.After, s.part.Before)
	if s.dialect.SortKey != "id" {
		from += fmt.Sprintf(" AND %s > ? AND %s < ?", s.dialect.SortKey, s.dialect.SortKey)
		args = append(args, s.part.After, s.part.Before)
	}
	ids := make([]string, len(s.terms))
	for i, term := range s.terms {
		ids[i] = "SELECT " + s.dialect.SearchRun + " FROM " + s.dialect.SearchRows
		args = append(args, s.expression(term))
	}
	found := fmt.Sprintf(s.dialect.SearchFirst, strings.Join(ids, " INTERSECT "))
	return from + " AND id IN (" + found + ")", args
}

// IndexError adds the error of a run, if it has one, to the search index.
func IndexError(w Writer, run app.ProcessRun) error {
	if run.Error == "" || NeverSearched(run.Kind) {
		return nil
	}
	return w.Index(run.ID, ErrorPart, Terms(run.ID, run.Error))
}
