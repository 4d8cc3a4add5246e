package rows

import (
	"context"
	"math"
	"strings"

	"runboard/app"
)

// Texts is where a store finds the errors and logs of runs by their words. The numbers of its rows tell the run, so that
// matches come in the order of the runs.
type Texts struct {
	// Matches selects rows, in their order. Its arguments are what is asked for, the first row, and the first row that is
	// too high. The direction follows.
	Matches string
	Row     string // the column with the number of a row
	Join    string // joins runs to matches, one by one
	PerRun  int64  // how many numbers a run has
	// Within narrows a search for words that many rows have to as many rows as can be looked through, at the end where it
	// begins; nil: the index finds any words fast.
	Within func(ctx context.Context, from Reader, match string, in RowSpan, ascending bool) (RowSpan, error)
}

// RowSpan is the rows from the first one to before another one.
type RowSpan struct{ First, Before int64 }

// searched is how many matches of a search are looked at for one answer.
const searched = 2000

// First is the first row of a run. The spans of lists go beyond all runs.
func (t Texts) First(run int64) int64 {
	if run > math.MaxInt64/t.PerRun {
		return math.MaxInt64
	}
	return run * t.PerRun
}

// newest selects the newest matches. Its arguments are those of Matches and how many.
func (t Texts) newest() string { return "(" + t.Matches + " DESC LIMIT ?) AS found" }

// joined is matches with their runs. Its argument is PerRun.
func (t Texts) joined(matches string) string {
	return matches + " " + t.Join + " process_runs ON id = found." + t.Row + " / ? WHERE "
}

// words are the words of a text, each given to spell and then put together.
func Words(text, between string, spell func(string) string) string {
	words := strings.Fields(text)
	for i, word := range words {
		words[i] = spell(word)
	}
	return strings.Join(words, between)
}

func (l *list) searchText(where string, ascending bool) string {
	way := direction(ascending)
	return "SELECT " + Columns + " FROM " + l.joined("("+l.Matches+" "+way+" LIMIT ?) AS found") + where + "TRUE ORDER BY found." + l.Row + " " + way
}

// search returns the first limit runs of a span that have the words. When only some of the matches
// could be looked at, and there are not enough runs among them, searchedTo is where to go on.
func (l *list) search(ctx context.Context, in Span, ascending bool, limit int) (runs []app.ProcessRun, searchedTo int64, err error) {
	all := l.rowsOf(in)
	look, err := l.narrowed(ctx, all, ascending)
	if err != nil {
		return nil, 0, err
	}
	where := l.conditions()
	runs = []app.ProcessRun{}
	var row Run
	err = each(ctx, l.from, &row, func() (bool, error) {
		if n := len(runs); n == 0 || runs[n-1].ID != row.ID { // a run has as many matches as rows that match
			runs = append(runs, row.App())
		}
		return len(runs) < limit, nil
	}, l.searchText(where.text, ascending), append([]any{l.match, look.First, look.Before, searched, l.PerRun}, where.args...)...)
	if err != nil || len(runs) == limit || ascending {
		return runs, 0, err
	}
	searchedTo, err = l.searchedTo(ctx, all, look, searched)
	return runs, searchedTo, err
}

// rowsOf are the rows of the runs in a span.
func (l *list) rowsOf(in Span) RowSpan { return RowSpan{l.First(beyond(in.After)), l.First(in.Before)} }

// narrowed are those of some rows that are looked through.
func (l *list) narrowed(ctx context.Context, all RowSpan, ascending bool) (RowSpan, error) {
	if l.Within == nil {
		return all, nil
	}
	return l.Within(ctx, l.from, l.match, all, ascending)
}

// searchedTo is the oldest run whose matches are among the newest so many of the rows that were looked through, when there
// may be older ones, else 0.
func (l *list) searchedTo(ctx context.Context, all, look RowSpan, looked int) (int64, error) {
	var seen struct {
		N     int    `db:"n"`
		Least *int64 `db:"least"`
	}
	err := Get(ctx, l.from, &seen, "SELECT COUNT(*) AS n, min("+l.Row+") AS least FROM "+l.newest(), l.match, look.First, look.Before, looked)
	switch {
	case err != nil:
		return 0, err
	case (seen.N < looked || seen.Least == nil) && look.First > all.First:
		return look.First / l.PerRun, nil
	case seen.N < looked || seen.Least == nil:
		return 0, nil
	}
	return *seen.Least / l.PerRun, nil
}

// condition is one that runs must meet, with an AND at its end.
type condition struct {
	text string
	args []any
}

// conditions are those of all sections in one: matches are looked up one by one.
func (l *list) conditions() (all condition) {
	var any []string
	for _, section := range l.sections {
		any = append(any, section.where+"TRUE")
		all.args = append(all.args, section.args...)
	}
	all.text = "(" + strings.Join(any, " OR ") + ") AND "
	return all
}

// countFound counts by status the runs among so many matches that meet a condition, and says whether there are more
// matches.
func (l *list) countFound(ctx context.Context, where condition, looked int) (counts app.Counts, more bool, err error) {
	all := l.rowsOf(l.all)
	look, err := l.narrowed(ctx, all, false)
	if err != nil {
		return counts, false, err
	}
	text := "SELECT status, COUNT(DISTINCT id) AS n FROM " + l.joined(l.newest()) + where.text + "TRUE GROUP BY status"
	counts, err = CountBy(ctx, l.from, text, append([]any{l.match, look.First, look.Before, looked, l.PerRun}, where.args...)...)
	if err != nil {
		return counts, false, err
	}
	left, err := l.searchedTo(ctx, all, look, looked)
	return counts, left > 0, err
}
