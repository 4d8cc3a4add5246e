package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

// explaining has the server say of everything that is read how much it looked at.
type explaining struct {
	*sqlx.Conn
	reader *query.Reader
	t      testing.TB
	// blocks is how many pages of memory or disk were looked at, of 8 KB each.
	blocks int
	plans  []string
}

func (e *explaining) QueryxContext(ctx context.Context, text string, args ...any) (*sqlx.Rows, error) {
	e.explain(ctx, text, args...)
	return e.Conn.QueryxContext(ctx, text, args...)
}

func (e *explaining) QueryRowxContext(ctx context.Context, text string, args ...any) *sqlx.Row {
	e.explain(ctx, text, args...)
	return e.Conn.QueryRowxContext(ctx, text, args...)
}

func (e *explaining) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	e.explain(ctx, text, args...)
	return e.Conn.QueryContext(ctx, text, args...)
}

func (e *explaining) explain(ctx context.Context, text string, args ...any) {
	e.t.Helper()
	if strings.HasPrefix(text, "EXPLAIN") {
		return // which only asks
	}
	var lines []string
	ok(e.t, e.SelectContext(ctx, &lines, "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) "+text, args...))
	plan := strings.Join(lines, "\n")
	if looked := buffers.FindStringSubmatch(plan); looked != nil { // those of the first line are all
		hit, _ := strconv.Atoi(looked[1])
		read, _ := strconv.Atoi(looked[2])
		e.blocks += hit + read
	}
	e.plans = append(e.plans, text, plan)
}

var buffers = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)

// measureReads returns how many blocks are looked at by what f reads of a store.
func measureReads(t testing.TB, e *explaining, f func(*query.Reader) error) *explaining {
	t.Helper()
	e.t, e.blocks, e.plans = t, 0, nil
	ok(t, f(e.reader))
	return e
}

// newExplaining returns a reader of a store that explains what it reads.
func newExplaining(store *Store) *explaining {
	e := &explaining{}
	e.reader = query.NewReader(explainingDatabase{database{store}, e}, dialect, 0)
	return e
}

type explainingDatabase struct {
	database
	explaining *explaining
}

func (db explainingDatabase) Read(ctx context.Context, f func(context.Context, query.Queryer) error) error {
	return db.readFrom(ctx, func(ctx context.Context, q query.Queryer) error {
		db.explaining.Conn = q.(*sqlx.Conn)
		return f(ctx, db.explaining)
	})
}

// filled is a store with n runs, all of which are completed and of one kind, except for the oldest: the worst
// case for a read from the newest run on. The planner believes that every third run is failed.
func filled(t testing.TB, n int) *Store {
	t.Helper()
	store := newStore(t, Options{Kinds: func() []string { return []string{kind, "rare"} }})
	for _, table := range []string{"process_runs", "run_search"} { // an analysis would tell the planner
		execute(t, store, "ALTER TABLE "+table+" SET (autovacuum_enabled = false)")
	}
	execute(t, store, "SELECT allocate_run_ids($1)", n)
	insertAs(t, store, n, "'simulated'", "CASE WHEN i % 3 = 0 THEN 3 ELSE 2 END")
	execute(t, store, "ANALYZE process_runs")
	// The planner keeps these statistics. If the runs were updated instead, the indexes would hold the dead
	// rows, and each read would visit them for as long as a transaction on the server is older.
	execute(t, store, "TRUNCATE process_runs, run_counts")
	insertAs(t, store, n, "CASE WHEN i <= 20 THEN 'rare' ELSE 'simulated' END",
		"CASE WHEN i <= 20 THEN i % 5 ELSE 2 END")
	execute(t, store, `INSERT INTO failure_patterns (kind, pattern, example, first_at)
		VALUES ('rare', 'x', 'x', 1)`)
	execute(t, store, "UPDATE process_runs SET failure = 1 WHERE status = 3")
	indexed(t, store, n, func(run int64) string {
		if run < 9 {
			return fmt.Sprintf("exit status w%d needle", run%1000)
		}
		return fmt.Sprintf("exit status w%d hay", run%1000)
	})
	execute(t, store, "VACUUM ANALYZE run_search")
	return store
}

// insertAs inserts n runs of this node. kind and status are expressions of their id i.
func insertAs(t testing.TB, store *Store, n int, kind, status string) {
	t.Helper()
	execute(t, store, `INSERT INTO process_runs (id, kind, status, version, attempt, crashes, fencing_token,
			error, created_at, updated_at, started_at, finished_at, job, node)
		SELECT i, `+kind+`, `+status+`, 3, 1, 0, 1, '', at, at, at, at, 0, $2
		FROM generate_series(1, $1::int) AS i, LATERAL (SELECT 1700000000000 + i * 1000) AS times (at)`,
		n, store.node)
}

// indexed gives so many runs errors in the index of words.
func indexed(t testing.TB, store *Store, n int, text func(run int64) string) {
	t.Helper()
	for some := range slices.Chunk(slices.Collect(numbers(n)), 20_000) {
		terms := make([]string, len(some))
		for i, run := range some {
			terms[i] = strings.Join(query.Terms(run, text(run)), " ")
		}
		execute(t, store, `INSERT INTO run_search SELECT run, 0, array_to_tsvector(string_to_array(terms, ' '))
			FROM unnest($1::bigint[], $2::text[]) AS each (run, terms)`, some, terms)
	}
}

func numbers(n int) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i := range int64(n) {
			if !yield(i + 1) {
				return
			}
		}
	}
}

func TestPlan_ReadsUseIndexes(t *testing.T) {
	t.Parallel()
	const many = 200_000
	store := filled(t, many)
	e := newExplaining(store)
	t.Run("lists", func(t *testing.T) { readsLists(t, e, many) })
	t.Run("timelines", func(t *testing.T) { readsTimelines(t, e, many) })
	t.Run("other pages", func(t *testing.T) { readsPages(t, e, many) })
}

func readsLists(t *testing.T, e *explaining, many int64) {
	t.Helper()
	var filters []app.Filter
	for _, kind := range []string{"", kind, "rare", "none"} {
		filters = append(filters, app.Filter{Kind: kind})
		for _, status := range app.Statuses() {
			filters = append(filters, app.Filter{Kind: kind, Filtered: true, Status: status})
		}
	}
	since := app.At(query.FromMillis(1700000000000 + many/2*1000))
	filters = append(filters, app.Filter{Failure: 1}, app.Filter{Failure: 2}, app.Filter{Since: since},
		app.Filter{Filtered: true, Status: app.Failed, Since: since},
		app.Filter{Filtered: true, Status: app.Completed, Since: since})
	measureReads(t, e, func(r *query.Reader) error { // the first such read looks at the times of all runs
		_, err := r.Page(ctx, app.Query{Filter: app.Filter{Since: since}})
		return err
	})
	for _, filter := range filters {
		for _, asked := range []app.Query{{}, app.Query{}.WithCursor(app.Before, many/2),
			app.Query{}.WithCursor(app.After, many/2), app.Query{}.WithCursor(app.After, 0)} {
			asked.Filter = filter
			page := func(r *query.Reader) error { _, err := r.Page(ctx, asked); return err }
			// Up to 10,001 matches are counted, which takes most of it, and up to 1,001 in each status. All
			// runs are more than 5,000 blocks, and each index is 550 or more, which would come on top.
			const most = 700
			if e := measureReads(t, e, page); e.blocks > most {
				t.Errorf("for %+v it looks at %d blocks: %s", asked, e.blocks, strings.Join(e.plans, "\n"))
			}
		}
	}
}

// readsTimelines reads windows in the middle of the runs, of which one finishes each second.
func readsTimelines(t *testing.T, e *explaining, many int64) {
	t.Helper()
	until := app.At(query.FromMillis(1700000000000 + many/2*1000))
	for _, filter := range []app.Filter{
		{}, {Kind: kind}, {Kind: "rare"}, {Kind: "none"}, {Filtered: true, Status: app.Failed},
		{Filtered: true, Status: app.Completed}, {Filtered: true, Status: app.Started},
	} {
		for _, span := range app.Spans() {
			asked := app.TimelineQuery{Span: span, Until: until, Filter: filter}
			timeline := func(r *query.Reader) error { _, err := r.Timeline(ctx, asked); return err }
			const most = 2000 // of which 300 runs by id are 1,200
			if e := measureReads(t, e, timeline); e.blocks > most {
				t.Errorf("for %+v it looks at %d blocks: %s", asked, e.blocks, strings.Join(e.plans, "\n"))
			}
		}
	}
}

func readsPages(t *testing.T, e *explaining, many int64) {
	t.Helper()
	for name, ask := range map[string]func(*query.Reader) error{
		"a run":               func(r *query.Reader) error { _, err := r.Run(ctx, many/2); return err },
		"one that is started": func(r *query.Reader) error { _, err := r.Run(ctx, 1); return err },
		"one that waits":      func(r *query.Reader) error { _, err := r.Run(ctx, 20); return err },
		"neighbours": func(r *query.Reader) error {
			_, err := r.Neighbours(ctx, app.Filter{}, many/2)
			return err
		},
		"neighbours of a rare status": func(r *query.Reader) error {
			_, err := r.Neighbours(ctx, app.ByStatus(app.Cancelled).Filter, many/2)
			return err
		},
		"marks": func(r *query.Reader) error {
			_, err := r.Revisions(ctx, []int64{1, 2, many / 2, many})
			return err
		},
		"statistics": func(r *query.Reader) error { _, err := r.Statistics(ctx, app.Last24Hours); return err },
		"failures":   func(r *query.Reader) error { _, err := r.Failures(ctx, app.LatestRuns); return err },
		"what an action is for": func(r *query.Reader) error {
			_, err := r.PreviewBulk(ctx, app.BulkAction{IDs: []int64{1, 2, 3}})
			return err
		},
		"a rare word": func(r *query.Reader) error {
			_, err := r.Page(ctx, app.Query{Filter: app.Filter{Text: "needle"}})
			return err
		},
		"old runs": func(r *query.Reader) error {
			_, err := r.Prune(ctx, query.Keep{Max: math.MaxInt64 - 1, Finished: math.MaxInt64}, nil)
			return err
		},
	} {
		const most = 800 // a search also counts the matches in each status
		if e := measureReads(t, e, ask); e.blocks > most {
			t.Errorf("for %s it looks at %d blocks: %s", name, e.blocks, strings.Join(e.plans, "\n"))
		}
	}
	common := measureReads(t, e, func(r *query.Reader) error {
		_, err := r.Page(ctx, app.Query{Filter: app.Filter{Text: "exit status"}})
		return err
	})
	if common.blocks > 50_000 { // of 100,000 runs with as many logs
		t.Errorf("for words that all have it looks at %d blocks: %s", common.blocks,
			strings.Join(common.plans, "\n"))
	}
}
