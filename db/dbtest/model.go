package dbtest

import (
	"slices"

	"pgregory.net/rapid"

	"runboard/app"
)

// model is the state that the store must have.
type model struct {
	fixture
	subject  Subject
	runs     map[int64]app.ProcessRun
	last     int64
	attempts []app.ProcessRun // every run as Start returned it, also those with stale fencing tokens
	keys     map[string]app.Batch
}

func newModel(t *rapid.T, subject Subject) *model {
	return &model{
		fixture: openWith(t, subject, Settings{MaxPending: modelMaxPending, MaxCrashes: modelMaxCrashes}),
		subject: subject, runs: make(map[int64]app.ProcessRun), keys: make(map[string]app.Batch),
	}
}

// same reports whether two runs are equal, apart from the fencing token and the failure number, which the
// store chooses.
func same(a, b app.ProcessRun) bool {
	a.FencingToken, a.Failure, a.QueuedAt = b.FencingToken, b.Failure, b.QueuedAt
	return a == b
}

// list returns all runs of the model, newest first.
func (m *model) list() []app.ProcessRun {
	runs := make([]app.ProcessRun, 0, len(m.runs))
	for _, run := range m.runs {
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return int(b.ID - a.ID) })
	return runs
}

// compare checks the newest page and the counts after every operation. The other pages are compared only at
// the end, which is enough to find an error.
func (m *model) compare(t *rapid.T) {
	page, list := m.page(app.Query{}), m.list()
	if !slices.EqualFunc(page.Runs, expected(list, app.Query{}).Runs, same) {
		t.Fatalf("the newest runs are\n%+v and not\n%+v", page.Runs, list)
	}
	if counts := count(list); page.Counts != counts {
		t.Fatalf("the counts are %v and not %v", page.Counts, counts)
	}
	m.checkFailures(list)
}

// changed checks the version and the status of a changed run, and updates the model.
func (m *model) changed(t *rapid.T, run app.ProcessRun, to app.Status) {
	if got := m.get(run.ID); got.Version != run.Version+1 || got.Status != to ||
		!run.Status.CanBecome(got.Status) {
		t.Fatalf("after a change to %s, the run before and after is\n%+v\n%+v", to, run, got)
	}
	run.Version++
	run.Status, run.UpdatedAt = to, m.clock.Now()
	if to.Final() {
		run.FinishedAt = m.clock.Now()
	}
	m.runs[run.ID] = run
}

// expect checks the code of an error. It reports whether the operation must have changed something.
func (m *model) expect(t *rapid.T, err error, code app.Code) bool {
	if app.CodeOf(err) != code {
		t.Fatalf("the error is %v and should have the code %q", err, code)
	}
	return code == ""
}
