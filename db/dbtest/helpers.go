package dbtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"runboard/app"
)

// patience bounds the wait for what must happen. Only a failing test waits that long.
const patience = 30 * time.Second

const kind = "simulated"

var ctx = context.Background()

// fixture is a test with a new store and the clock of the store.
type fixture struct {
	TB
	store Store
	clock *Clock
}

func open(t *testing.T, subject Subject) fixture {
	t.Helper()
	return openWith(t, subject, Settings{})
}

func openWith(t TB, subject Subject, settings Settings) fixture {
	t.Helper()
	clock := NewClock()
	settings.Now = clock.Now
	if settings.Secrets == nil {
		settings.Secrets = newBox(t)
	}
	return fixture{TB: t, store: subject.Open(t, settings), clock: clock}
}

// newBox returns a box with a random key.
func newBox(t TB) *app.SecretBox {
	t.Helper()
	box, err := app.NewSecretBox(app.NewSecretKey())
	if err != nil {
		t.Fatalf("there is no box for secrets: %v", err)
	}
	return box
}

// inside returns the fixture for a subtest, so that failures count for the subtest.
func (f fixture) inside(t TB) fixture {
	f.TB = t
	return f
}

// create creates n runs and returns them.
func (f fixture) create(n int) []app.ProcessRun {
	f.Helper()
	batch, err := f.store.Create(ctx, app.CreateRequest{Kind: kind, Count: n})
	f.ok(err)
	return batch.Runs()
}

func (f fixture) start(run app.ProcessRun) app.ProcessRun {
	f.Helper()
	started, err := f.store.Start(ctx, f.get(run.ID)) // read anew: the run may have been requeued since
	f.ok(err)
	return started
}

func (f fixture) finish(run app.ProcessRun, outcome app.Outcome) app.ProcessRun {
	f.Helper()
	f.ok(f.store.Finish(ctx, run, outcome))
	return f.get(run.ID)
}

// in creates a run and brings it to a status.
func (f fixture) in(status app.Status) app.ProcessRun {
	f.Helper()
	run := f.create(1)[0]
	if status == app.Created {
		return run
	}
	run = f.start(run)
	if status == app.Started {
		return run
	}
	outcome := app.Outcome{Status: status}
	if status == app.Failed {
		outcome.Error = "It did not work."
	}
	return f.finish(run, outcome)
}

// get returns a run as changes of it return it: without QueuedAt.
func (f fixture) get(id int64) app.ProcessRun {
	f.Helper()
	page, err := f.store.Run(ctx, id)
	f.ok(err)
	page.Run.QueuedAt = time.Time{}
	return page.Run
}

func (f fixture) page(query app.Query) app.Page {
	f.Helper()
	page, err := f.store.Page(ctx, query)
	f.ok(err)
	return page
}

// waiting returns the oldest runs that are created and due, at most limit, from the pages of the list.
func (f fixture) waiting(limit int) (runs []app.ProcessRun) {
	f.Helper()
	for page := f.page(app.ByStatus(app.Created).WithCursor(app.After, 0)); ; page = f.page(page.Newer()) {
		for _, run := range slices.Backward(page.Runs) {
			if !run.ScheduledAt.After(f.clock.Now()) {
				runs = append(runs, run)
			}
		}
		if !page.HasNewer || len(runs) >= limit {
			return runs[:min(limit, len(runs))]
		}
	}
}

// all returns every run, newest first. It fails if the stored counts differ from the runs.
func (f fixture) all() []app.ProcessRun {
	f.Helper()
	page := f.page(app.Query{})
	runs := page.Runs
	for page.HasOlder {
		page = f.page(page.Older())
		runs = append(runs, page.Runs...)
	}
	if counted := count(runs); page.Counts != counted {
		f.Fatalf("the store counts %v, its rows are %v", page.Counts, counted)
	}
	return runs
}

func count(runs []app.ProcessRun) (counts app.Counts) {
	for _, run := range runs {
		counts[run.Status]++
	}
	return counts
}

func ids(runs []app.ProcessRun) []int64 {
	list := make([]int64, len(runs))
	for i, run := range runs {
		list[i] = run.ID
	}
	return list
}

// changesNothing fails if act changes a run or a count.
func (f fixture) changesNothing(act func()) {
	f.Helper()
	before := f.all()
	act()
	if after := f.all(); !slices.Equal(before, after) {
		f.Fatalf("something changed:\n%+v\n%+v", before, after)
	}
}

func (f fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("unexpected error: %v", err)
	}
}

// refused fails unless err has the code.
func (f fixture) refused(err error, code app.Code) {
	f.Helper()
	if app.CodeOf(err) != code {
		f.Fatalf("the error is %v and should have the code %s", err, code)
	}
}

// is fails unless two runs are equal, apart from the fencing token and the failure number, which the store
// chooses.
func (f fixture) is(got, want app.ProcessRun) {
	f.Helper()
	got.FencingToken, got.Failure = want.FencingToken, want.Failure
	if got != want {
		f.Fatalf("the run is\n%+v and not\n%+v", got, want)
	}
}
