package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
	"runboard/db/query"
)

// byDatabase is a source of one kind, whose runs are counted by their input database.
type byDatabase struct{}

func (d byDatabase) Kinds() []app.Kind {
	defined, _ := d.Kind(kind)
	return []app.Kind{defined}
}

func (byDatabase) Kind(name string) (app.Kind, bool) {
	policy := app.Policy{Concurrency: 1, ConcurrencyKey: []string{"database"}}
	return app.Kind{Name: name, Policy: policy}, name == kind
}

// createFor creates runs for a database and returns the id of the first one.
func createFor(t testing.TB, store *Store, database string, count int) int64 {
	t.Helper()
	input := app.InputValue{Name: "database", Type: app.TextInput, Texts: []string{database}}
	request := app.CreateRequest{Kind: kind, Count: count, Inputs: app.InputValues{input}}
	batch, err := store.Create(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	return batch.First
}

// keyOf returns the concurrency key of a run for a database.
func keyOf(database string) string {
	input := app.InputValue{Name: "database", Type: app.TextInput, Texts: []string{database}}
	defined, _ := byDatabase{}.Kind(kind)
	return defined.ConcurrencyKeyOf(app.InputValues{input})
}

func idsOf(runs []app.ProcessRun) []int64 {
	ids := make([]int64, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	return ids
}

// fetchKeys returns the due runs of the kind, at most perKey with each key and none of full databases.
func fetchKeys(t testing.TB, store *Store, perKey, limit int, full ...string) []int64 {
	t.Helper()
	due := app.DueKind{Name: kind, PerKey: perKey}
	for _, database := range full {
		due.FullKeys = append(due.FullKeys, keyOf(database))
	}
	runs, err := store.FetchDue(ctx, []app.DueKind{due}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(runs)
}

func TestFetchDue_PassesFullKeys(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Definitions: byDatabase{}})
	shop := createFor(t, store, "shop", 1000)
	crm, wiki := createFor(t, store, "crm", 2), createFor(t, store, "wiki", 2)
	for _, test := range []struct {
		perKey, limit int
		full          []string
		want          []int64
	}{
		{1, 10, nil, []int64{shop, crm, wiki}},
		{2, 10, nil, []int64{shop, shop + 1, crm, crm + 1, wiki, wiki + 1}},
		{1, 10, []string{"shop"}, []int64{crm, wiki}},
		{1, 1, []string{"shop"}, []int64{crm}},
		{5, 3, nil, []int64{shop, shop + 1, shop + 2}},
		{1, 10, []string{"shop", "crm", "wiki"}, []int64{}},
	} {
		if got := fetchKeys(t, store, test.perKey, test.limit, test.full...); !slices.Equal(got, test.want) {
			t.Errorf("%d of each key but %v, at most %d: %v, want %v",
				test.perKey, test.full, test.limit, got, test.want)
		}
	}
	if err := store.PauseKind(ctx, kind, true); err != nil {
		t.Fatal(err)
	}
	if got := fetchKeys(t, store, 1, 10); len(got) != 0 {
		t.Errorf("of a paused kind, %v are fetched", got)
	}
}

// Runs that were created before their kind had keys are counted together.
func TestFetchDue_FindsRunsWithoutKey(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Definitions: byDatabase{}})
	store.options.Definitions = nil
	old := createFor(t, store, "shop", 3)
	store.options.Definitions = byDatabase{}
	shop := createFor(t, store, "shop", 2)
	if got := fetchKeys(t, store, 1, 10); !slices.Equal(got, []int64{old, shop}) {
		t.Errorf("the runs %v are fetched", got)
	}
	full := app.DueKind{Name: kind, PerKey: 1, FullKeys: []string{""}}
	runs, err := store.FetchDue(ctx, []app.DueKind{full}, 10)
	if err != nil || !slices.Equal(idsOf(runs), []int64{shop}) {
		t.Errorf("with as many of the old ones as may be, %v are fetched: %v", idsOf(runs), err)
	}
	if err := store.ApplyDefinitions(ctx); err != nil {
		t.Fatal(err)
	}
	if got := fetchKeys(t, store, 10, 10); !slices.Equal(got,
		[]int64{old, old + 1, old + 2, shop, shop + 1}) {
		t.Errorf("with keys, the runs %v are fetched", got)
	}
	if got := fetchKeys(t, store, 10, 10, "shop"); len(got) != 0 {
		t.Errorf("with a full key, the runs %v are fetched", got)
	}
}

// There are more runs than one transaction looks at, and those without a key come last.
func TestApplyDefinitions_SetsAllMissingKeys(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{Definitions: byDatabase{}})
	for range 3 {
		createFor(t, store, "shop", app.MaxCount)
	}
	store.options.Definitions = nil
	createFor(t, store, "crm", app.MaxCount)
	store.options.Definitions = byDatabase{}
	if err := store.ApplyDefinitions(ctx); err != nil {
		t.Fatal(err)
	}
	if got := fetchKeys(t, store, app.MaxCount, 5000, "shop"); len(got) != app.MaxCount {
		t.Errorf("%d runs have their key", len(got))
	}
	if got := fetchKeys(t, store, app.MaxCount, 5000, "crm", "shop"); len(got) != 0 {
		t.Errorf("%d runs have another key", len(got))
	}
}

// Whatever happened to the runs, FetchDue returns what a search of all of them finds.
func TestFetchDue_AgreesWithSearchOfAllRuns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		now := time.UnixMilli(1_700_000_000_000)
		store := newStore(t, Options{Definitions: byDatabase{}, Now: func() time.Time { return now }})
		defer func() { _ = store.Close() }()
		databases := []string{"a", "b", "c", "d"}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			randomChange(rt, store, rapid.SampledFrom(databases).Draw(rt, "database"))
			checkWaitingKeys(rt, store)
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(rt, "ms")) * time.Millisecond)
		}
		perKey, limit := rapid.IntRange(1, 3).Draw(rt, "per key"), rapid.IntRange(1, 8).Draw(rt, "limit")
		full := rapid.SliceOfNDistinct(rapid.SampledFrom(databases), 0, 3, rapid.ID[string]).Draw(rt, "full")
		want := searchDue(t, store, now, perKey, limit, full)
		if got := fetchKeys(t, store, perKey, limit, full...); !slices.Equal(got, want) {
			rt.Fatalf("%d of each key but %v, at most %d: %v, want %v", perKey, full, limit, got, want)
		}
	})
}

// checkWaitingKeys compares the table with the runs.
func checkWaitingKeys(rt *rapid.T, store *Store) {
	var kept, want []waitingKey
	err := query.Select(ctx, store.readers[app.ForQueue], &kept,
		"SELECT concurrency_key, first_id FROM waiting_keys ORDER BY 1")
	if err == nil {
		err = query.Select(ctx, store.readers[app.ForQueue], &want, `SELECT concurrency_key, min(id) AS first_id
			FROM process_runs WHERE status = 0 AND concurrency_key <> '' GROUP BY 1 ORDER BY 1`)
	}
	if err != nil || !slices.Equal(kept, want) {
		rt.Fatalf("the waiting keys are %v, want %v: %v", kept, want, err)
	}
}

// randomChange creates a run, or takes one to another status.
func randomChange(rt *rapid.T, store *Store, database string) {
	runs, _, err := store.Runs(ctx, app.Filter{}, 1<<62, 1000)
	if err != nil {
		rt.Fatal(err)
	}
	change := rapid.IntRange(0, 6).Draw(rt, "change")
	if len(runs) == 0 || change < 3 {
		input := app.InputValue{Name: "database", Type: app.TextInput, Texts: []string{database}}
		_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1, Inputs: app.InputValues{input}})
		if err != nil {
			rt.Fatal(err)
		}
		return
	}
	run := rapid.SampledFrom(runs).Draw(rt, "run")
	switch change {
	case 3:
		_, _ = store.Start(ctx, run)
	case 4:
		_ = store.Finish(ctx, run, app.Outcome{Status: app.Created, Error: "Again.", RetryIn: time.Second})
	case 5:
		_, _ = store.Cancel(ctx, run.ID)
	case 6:
		_, _ = store.Retry(ctx, run.ID)
	}
}

// searchDue is FetchDue by a search of all runs.
func searchDue(t *testing.T, store *Store, now time.Time, perKey, limit int, full []string) []int64 {
	runs, _, err := store.Runs(ctx, app.Filter{}, 1<<62, 1000)
	if err != nil {
		t.Fatal(err)
	}
	found, ids := map[string]int{}, []int64{}
	for _, database := range full {
		found[keyOf(database)] = perKey
	}
	for _, run := range slices.Backward(runs) {
		if run.Status != app.Created || run.ScheduledAt.After(now) || found[run.ConcurrencyKey] == perKey {
			continue
		}
		found[run.ConcurrencyKey]++
		ids = append(ids, run.ID)
	}
	return ids[:min(len(ids), limit)]
}

func TestPlan_KeysUseIndexes(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	for want, got := range map[string]string{
		"SEARCH waiting_keys USING COVERING INDEX waiting_keys_by_id (kind=? AND first_id>?)": plan(t, store,
			waitingKeys, kind, 0, "[]", 10),
		"USING COVERING INDEX process_runs_by_key (kind=? AND concurrency_key=?)": plan(t, store, dueOfKeys,
			"[]", kind, 0, 1),
		"SEARCH process_runs USING INDEX process_runs_by_kind (kind=? AND status=? AND id<?)": plan(t, store,
			dueWithoutKey, kind, 0, 9, 1),
	} {
		if !strings.Contains(got, want) || strings.Contains(got, "SCAN process_runs") ||
			strings.Contains(got, "TEMP B-TREE FOR ORDER") {
			t.Errorf("the plan should contain %s: %s", want, got)
		}
	}
}

// BenchmarkFetchDue fetches behind a million runs of one key, among ten thousand keys, and of a paused kind.
func BenchmarkFetchDue(b *testing.B) {
	fill := func(b *testing.B, databases, each int) *Store {
		store := newStore(b, Options{Synchronous: "normal", Definitions: byDatabase{}})
		for i := range databases {
			for left := each; left > 0; left -= app.MaxCount {
				createFor(b, store, fmt.Sprint("database ", i), min(left, app.MaxCount))
			}
		}
		createFor(b, store, "other", 1)
		b.ReportAllocs()
		b.ResetTimer()
		return store
	}
	b.Run("a million runs of a full key", func(b *testing.B) {
		store := fill(b, 1, 1_000_000)
		for b.Loop() {
			if got := fetchKeys(b, store, 1, 80, "database 0"); len(got) != 1 {
				b.Fatal(got)
			}
		}
	})
	b.Run("ten thousand keys", func(b *testing.B) {
		store := fill(b, 10_000, 3)
		for b.Loop() {
			if got := fetchKeys(b, store, 1, 80, "database 0", "database 1"); len(got) != 80 {
				b.Fatal(got)
			}
		}
	})
	b.Run("a thousand kinds", func(b *testing.B) {
		store := fill(b, 10, 3)
		kinds := []app.DueKind{{Name: kind, PerKey: 1}}
		for i := range 1000 {
			kinds = append(kinds, app.DueKind{Name: fmt.Sprint("kind ", i), PerKey: i % 2})
		}
		for b.Loop() {
			if runs, err := store.FetchDue(ctx, kinds, 80); err != nil || len(runs) != 11 {
				b.Fatal(len(runs), err)
			}
		}
	})
	b.Run("a million runs of a paused kind", func(b *testing.B) {
		store := fill(b, 1, 1_000_000)
		if err := store.PauseKind(ctx, kind, true); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			runs, err := store.FetchDue(ctx, []app.DueKind{{Name: kind}, {Name: "other"}}, 80)
			if err != nil || len(runs) != 0 {
				b.Fatal(len(runs), err)
			}
		}
	})
}
