package sqlite

import (
	"strings"
	"testing"

	"runboard/app"
	"runboard/db/query"
)

// plan returns SQLite's query plan for a statement.
func plan(t *testing.T, store *Store, text string, args ...any) string {
	t.Helper()
	var steps []struct {
		ID, Parent, NotUsed int
		Detail              string
	}
	if err := store.writer.conn.SelectContext(ctx, &steps, "EXPLAIN QUERY PLAN "+text, args...); err != nil {
		t.Fatal(err)
	}
	var details []string
	for _, step := range steps {
		details = append(details, step.Detail)
	}
	return strings.Join(details, "; ")
}

func wantPlan(t *testing.T, got, search string) {
	t.Helper()
	if !strings.Contains(got, "SEARCH process_runs USING "+search) ||
		strings.Contains(got, "SCAN process_runs") || strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("the plan should search by %s: %s", search, got)
	}
}

func TestPlan_ListsUseIndexes(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	in := query.IDRange{After: 0, Before: 9}
	for index, filter := range map[string]app.Filter{
		"INTEGER PRIMARY KEY":          {},
		"INDEX process_runs_by_status": {Filtered: true, Status: app.Failed},
		"INDEX process_runs_by_kind":   {Kind: "backup"},

		"INDEX process_runs_by_failure": {Failure: 7},
	} {
		for _, scan := range dialect.Scans(filter) {
			covering := strings.Replace(index, "INDEX", "COVERING INDEX", 1)
			for _, ascending := range []bool{false, true} {
				wantPlan(t, plan(t, store, scan.RunsSQL(ascending), scan.Args(in, 26)...), index)
				wantPlan(t, plan(t, store, scan.IDsSQL(ascending), scan.Args(in, 1)...), covering)
			}
			wantPlan(t, plan(t, store, scan.CountSQL(), scan.Args(in, 100)...), covering)
		}
	}
	const byStatus = "INDEX process_runs_by_status"
	wantPlan(t, plan(t, store, startedRuns), byStatus)
	wantPlan(t, plan(t, store, query.CancelRequestsSQL), byStatus)
}

func TestPlan_TimelineUsesIndexByEnd(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	const byEnd = "COVERING INDEX process_runs_by_end (finished_at>? AND finished_at<?)"
	wantPlan(t, plan(t, store, dialect.EndedSQL(), 1, 2, 301), byEnd)
	got := plan(t, store, dialect.EndedLaterSQL(), 1, 2000, 1, 301)
	wantPlan(t, got, "COVERING INDEX process_runs_by_end (finished_at>?)")
	if !strings.Contains(got, "CO-ROUTINE later") {
		t.Errorf("the limit should come before the condition: %s", got)
	}
}

func TestPlan_FetchDueUsesKindIndex(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dueRuns(2), 0, 20, "a", 20, "b", 20)
	if !strings.Contains(got,
		"SEARCH process_runs USING COVERING INDEX process_runs_by_kind (kind=? AND status=?)") ||
		!strings.Contains(got, "SEARCH process_runs USING INTEGER PRIMARY KEY") {
		t.Errorf("the plan is: %s", got)
	}
}

func TestPlan_StatementsUsePrimaryKey(t *testing.T) {
	t.Parallel()
	const byID = "INTEGER PRIMARY KEY"
	store := newStore(t, Options{})
	wantPlan(t, plan(t, store, saveRun, saveRunArgs(app.ProcessRun{ID: 1}, 1)...), byID)
	wantPlan(t, plan(t, store, saveProgress, 5, "", 0, 1, 1), byID)
	wantPlan(t, plan(t, store, dialect.RevisionsSQL(), "[1,2]"), byID)
	wantPlan(t, plan(t, store, dialect.RunsByIDSQL(), "[1,2]"), byID)
	wantPlan(t, plan(t, store, startRuns, 0, "[1,2]"), byID)
	wantPlan(t, plan(t, store, completeRuns, 0, `{"1":2}`), byID)
	wantPlan(t, plan(t, store, addEvents, "[1,2]"), byID)
	if got := plan(t, store, addEvents, "[1,2]"); !strings.Contains(got, "SEARCH run_logs USING") {
		t.Errorf("the plan of the events reads all logs: %s", got)
	}
}

func TestPlan_QueuedAgainUsesPrimaryKey(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dialect.QueuedSQL(), "[1,2]")
	if !strings.Contains(got, "SEARCH run_events USING PRIMARY KEY (run_id=?)") {
		t.Errorf("the plan is: %s", got)
	}
}

func TestPlan_PositionUsesKindIndex(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dialect.KindsBeforeSQL(), `["a"]`, 9)
	if !strings.Contains(got, "COVERING INDEX process_runs_by_kind (kind=? AND status=? AND id<?)") {
		t.Errorf("the plan is: %s", got)
	}
}

func TestPlan_UsualDurationsUseKindIndex(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dialect.UsualSQL(), `["a","b"]`)
	const byKind = "SEARCH process_runs USING INDEX process_runs_by_kind (kind=? AND status=?)"
	if !strings.Contains(got, byKind) || strings.Contains(got, "SCAN process_runs") {
		t.Errorf("the plan is: %s", got)
	}
}

func TestPlan_TabsAndRunningUseIndexes(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	in := query.IDRange{After: 0, Before: 9}
	for index, filter := range map[string]app.Filter{
		"INDEX process_runs_by_status": {}, "INDEX process_runs_by_kind": {Kind: "backup"},
	} {
		for _, scan := range dialect.Scans(filter, app.Statuses()...) {
			covering := strings.Replace(index, "INDEX", "COVERING INDEX", 1)
			wantPlan(t, plan(t, store, scan.CountSQL(), scan.Args(in, app.CountedForTabs)...), covering)
			wantPlan(t, plan(t, store, scan.RunsSQL(true), scan.Args(in, app.MaxRunning)...), index)
		}
	}
}

func TestPlan_OldKeysUseAgeIndex(t *testing.T) {
	t.Parallel()
	got := plan(t, newStore(t, Options{}), dropOldKeys, 5)
	if !strings.Contains(got, "idempotency_keys_by_age") || strings.Contains(got, "SCAN idempotency_keys") {
		t.Errorf("the plan is: %s", got)
	}
}
