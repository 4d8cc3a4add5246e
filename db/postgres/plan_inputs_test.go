package postgres

import (
	"strings"
	"testing"

	"runboard/app"
	"runboard/db/query"
)

// fillInputs gives the runs of a filled store inputs. Each run has a value that all have, one that half of
// them have, and one that few have. Then half of the runs get values that the planner does not know.
func fillInputs(t testing.TB, store *Store) {
	t.Helper()
	execute(t, store, "ALTER TABLE run_inputs SET (autovacuum_enabled = false)")
	execute(t, store, `INSERT INTO run_inputs (run_id, ordinal, name, type, value, match_key)
		SELECT id, nth, name, 'text', text, '=' || text FROM process_runs,
			LATERAL (VALUES (0, 'all', 'x'), (1, 'half', (id % 2)::text), (2, 'few', (id % 5000)::text))
				AS each (nth, name, text)`)
	execute(t, store, "VACUUM ANALYZE run_inputs")
	execute(t, store, `INSERT INTO run_inputs (run_id, ordinal, name, type, value, match_key)
		SELECT id, 3, 'late', 'text', 'x', '=x' FROM process_runs WHERE id % 2 = 0`)
	execute(t, store, `INSERT INTO run_inputs (run_id, ordinal, name, type, value, match_key)
		SELECT id, 4, 'never', 'text', 'x', '=x' FROM process_runs WHERE id % 2 = 1`)
}

func TestPlan_InputsUseIndexes(t *testing.T) {
	t.Parallel()
	store := filled(t, 40_000)
	fillInputs(t, store)
	e := newExplaining(store)
	all, late := map[string]string{"all": "x"}, map[string]string{"late": "x"}
	few, never := map[string]string{"few": "7", "all": "x"}, map[string]string{"late": "x", "never": "x"}
	both, none := map[string]string{"half": "1", "late": "x"}, map[string]string{"all": "none"}
	for _, values := range []map[string]string{all, late, few, never, none, both} {
		inputs := app.NewInputFilter(values)
		for _, filter := range []app.Filter{
			{Inputs: inputs}, {Inputs: inputs, Kind: kind}, {Inputs: inputs, Kind: "rare"},
			{Inputs: inputs, Filtered: true, Status: app.Completed}, {Inputs: inputs, Failure: 1},
			{Inputs: inputs, Filtered: true, Status: app.Failed},
		} {
			readsFew(t, e, filter)
		}
	}
	overviews := func(r *query.Reader) error {
		_, err := r.KindOverviews(ctx, []string{kind, "rare", "none"})
		return err
	}
	if e := measureReads(t, e, overviews); e.blocks > 500 {
		t.Errorf("the overviews look at %d blocks: %s", e.blocks, strings.Join(e.plans, "\n"))
	}
	limited := app.Kind{Name: kind, Policy: app.Policy{Concurrency: 1, ConcurrencyKey: []string{"all"}}}
	ahead := func(r *query.Reader) error {
		_, err := r.QueueAhead(ctx, limited, "all=x")
		return err
	}
	if e := measureReads(t, e, ahead); e.blocks > 100 {
		t.Errorf("the queue looks at %d blocks: %s", e.blocks, strings.Join(e.plans, "\n"))
	}
}

// readsFew checks the pages of a filter. Walks look at up to 50,000 index rows for the runs, for the number
// of matches, and for whether there is another page, and each lookup of a run by id takes three or four
// blocks. A plan that reads all runs for each part of a walk takes millions.
func readsFew(t *testing.T, e *explaining, filter app.Filter) {
	t.Helper()
	const most = 600_000
	for _, asked := range []app.Query{{}, app.Query{}.WithCursor(app.After, 20_000)} {
		asked.Filter = filter
		page := func(r *query.Reader) error { _, err := r.Page(ctx, asked); return err }
		if e := measureReads(t, e, page); e.blocks > most {
			t.Errorf("for %+v it looks at %d blocks: %s", asked, e.blocks, strings.Join(e.plans, "\n"))
		}
	}
}
