package dbtest

import (
	"slices"

	"pgregory.net/rapid"

	"runboard/app"
)

// model is what the store should hold.
type model struct {
	fixture
	subject Subject
	runs    map[int64]app.ProcessRun
	last    int64
	claims  []app.ProcessRun // every claim that was ever given, so stale ones too
	keys    map[string]app.Batch
}

func newModel(t *rapid.T, subject Subject) *model {
	return &model{
		fixture: openWith(t, subject, Settings{MaxPending: modelMaxPending, MaxCrashes: modelMaxCrashes}),
		subject: subject, runs: make(map[int64]app.ProcessRun), keys: make(map[string]app.Batch),
	}
}

// same compares runs but for what the store alone knows: the claim, and the number of a failure.
func same(a, b app.ProcessRun) bool {
	a.FencingToken, a.Failure = b.FencingToken, b.Failure
	return a == b
}

// list is all runs of the model, newest first.
func (m *model) list() []app.ProcessRun {
	runs := make([]app.ProcessRun, 0, len(m.runs))
	for _, run := range m.runs {
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return int(b.ID - a.ID) })
	return runs
}

// compare looks at the newest page and the counts after every operation; all pages are compared at
// the end, which finds what went wrong on the others.
func (m *model) compare(t *rapid.T) {
	page, list := m.page(app.Query{}), m.list()
	if !slices.EqualFunc(page.Runs, expected(list, app.Query{}).Runs, same) {
		t.Fatalf("the newest runs are\n%+v and not\n%+v", page.Runs, list)
	}
	if counts := count(list); page.Counts != counts {
		t.Fatalf("the counts are %v and not %v", page.Counts, counts)
	}
	m.failsAlike(list)
}

// changed notes what a run has become, as the rules of all changes have it.
func (m *model) changed(t *rapid.T, run app.ProcessRun, to app.Status) {
	if got := m.get(run.ID); got.Version != run.Version+1 || got.Status != to || !run.Status.CanBecome(got.Status) {
		t.Fatalf("asked to become %s, this became that:\n%+v\n%+v", to, run, got)
	}
	run.Version++
	run.Status, run.UpdatedAt = to, m.clock.Now()
	if to.Final() {
		run.FinishedAt = m.clock.Now()
	}
	m.runs[run.ID] = run
}

// expect reports whether an operation should have changed something, after checking that it answered
// as the code says.
func (m *model) expect(t *rapid.T, err error, code app.Code) bool {
	if app.CodeOf(err) != code {
		t.Fatalf("the error is %v and should have the code %q", err, code)
	}
	return code == ""
}
