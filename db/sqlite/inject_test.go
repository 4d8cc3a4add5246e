package sqlite

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"runboard/app"
)

// injected are faults of a disk, of another program, or of SQLite.
var injected = []sqlite3.Error{
	{Code: sqlite3.ErrBusy}, {Code: sqlite3.ErrFull}, {Code: sqlite3.ErrIoErr}, {Code: sqlite3.ErrInterrupt},
}

// everyFault makes each call fail with each error, instead of one of them. The test then takes four times as
// long.
var everyFault = flag.Bool("every-fault", false, "let each call to the database fail in every way")

// Each call to the database fails once, while a store performs all operations again and again. Each failure
// must have a message for users; acknowledged changes must survive, refused ones must not appear, and the
// store must recover.
func TestFault_OfAnyCallLosesNothing(t *testing.T) {
	t.Parallel()
	for i, err := range injected {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			store, plan := openFaulty(t, err)
			calls, first, step := int64(1), int64(i+1), int64(len(injected))
			if *everyFault {
				first, step = 1, 1
			}
			for n := first; n <= max(calls, first) && !t.Failed(); n += step {
				calls = survive(t, store, plan, n)
			}
			if calls < 300 {
				t.Errorf("the operations make only %d calls", calls)
			}
		})
	}
}

// openFaulty opens a store whose calls fail with err as the fault says.
func openFaulty(t *testing.T, err error) (*Store, *fault) {
	t.Helper()
	registerFaulty()
	path := filepath.Join(t.TempDir(), "runs.db")
	writeEmptyFile(t, path)
	plan := &fault{err: err}
	plan.left.Store(-1)
	faults.Store(path, plan)
	t.Cleanup(func() { faults.Delete(path) })
	return openStore(t, Options{Path: path, driver: faultyDriver}), plan
}

// Whichever call of a write fails, subscribers must not be notified of a change that was not committed.
func TestNotifier_IsSilentWhenWriteFails(t *testing.T) {
	t.Parallel()
	store, plan := openFaulty(t, sqlite3.Error{Code: sqlite3.ErrFull})
	notified, stop := store.Changed().Subscribe()
	defer stop()
	for n := int64(1); ; n++ {
		plan.left.Store(n)
		_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
		plan.left.Store(-1)
		if err == nil {
			if n < 5 {
				t.Errorf("a write makes only %d calls", n-1)
			}
			return
		}
		select {
		case <-notified:
			t.Errorf("subscribers were notified although call %d failed", n)
		default:
		}
	}
}

// survive makes the n-th call of the operations fail and checks the store. It returns the number of calls.
func survive(t *testing.T, store *Store, plan *fault, n int64) (calls int64) {
	t.Helper()
	h := &history{
		t: t, store: store, runs: map[int64]app.Status{}, before: checkCounts(t, store).Total(),
		round: fmt.Sprint(n), at: fmt.Sprintf("%v at call %d", plan.err, n),
	}
	plan.calls.Store(0)
	plan.left.Store(n)
	h.play()
	calls = plan.calls.Load()
	plan.left.Store(-1)
	h.check()
	return calls
}

// history performs operations on a store and records what the store acknowledged.
type history struct {
	t      *testing.T
	store  *Store
	round  string // part of the idempotency keys
	at     string
	before int64                // number of runs before
	runs   map[int64]app.Status // the acknowledged status of each new run
}

// succeeded reports whether err is nil. It fails the test if err has no code and message for users.
func (h *history) succeeded(what string, err error) bool {
	h.t.Helper()
	if err == nil {
		return true
	}
	if code := app.CodeOf(err); code != app.CodeUnavailable {
		h.t.Errorf("%s, %s fails with %v", h.at, what, err)
	}
	var told *app.Error
	if errors.As(err, &told) && told.Message == "" {
		h.t.Errorf("%s, %s fails without a sentence", h.at, what)
	}
	return false
}

// play performs some of every operation, and continues after failures.
func (h *history) play() {
	h.t.Helper()
	since := time.Now().Add(-time.Hour)
	request := app.CreateRequest{Kind: kind, Count: 5, IdempotencyKey: "key " + h.round}
	batch, err := h.store.Create(ctx, request)
	if !h.succeeded("Create", err) { // repeat it, as a client would
		if batch, err = h.store.Create(ctx, request); err != nil {
			h.t.Errorf("%s, Create fails twice: %v", h.at, err)
			return
		}
	}
	for _, run := range batch.Runs() {
		h.runs[run.ID] = app.Created
	}
	first := batch.First
	h.finish(first, app.Outcome{Status: app.Completed})
	h.finish(first+1, app.Outcome{Status: app.Failed, Error: "out of ink at 7"})
	h.finish(first+2, app.Outcome{Status: app.Failed, Error: "out of ink at 8"})
	if _, err := h.store.Cancel(ctx, first+3); h.succeeded("Cancel", err) {
		h.runs[first+3] = app.Cancelled
	}
	if h.runs[first+1] == app.Failed {
		if _, err := h.store.Retry(ctx, first+1); h.succeeded("Retry", err) {
			h.runs[first+1] = app.Created
		}
	}
	h.read(first, app.Filter{Kind: kind, Since: app.At(since)})
	h.read(first, app.Filter{Text: "ink"})
	h.act(app.BulkAction{Operation: app.BulkDelete, IDs: []int64{first + 2}})
	if h.runs[first] == app.Completed && h.succeeded("Delete", h.store.Delete(ctx, first)) {
		delete(h.runs, first)
	}
}

// finish starts a run, saves progress, and finishes it. It repeats failed calls, as the queue does.
func (h *history) finish(id int64, outcome app.Outcome) {
	h.t.Helper()
	var run app.ProcessRun
	h.twice("StartMany", func() error {
		started, err := h.store.StartMany(ctx, []app.ProcessRun{{ID: id, Status: app.Created}})
		if err == nil && len(started) != 1 {
			h.t.Errorf("%s, it starts %+v", h.at, started)
		} else if err == nil {
			run = started[0]
		}
		return err
	})
	h.runs[id] = app.Started
	progress := app.Progress{Percent: 40, Message: "half"}
	h.succeeded("SaveProgress", h.store.SaveProgress(ctx, run,
		app.ProgressUpdate{Progress: &progress, Lines: []app.LogLine{{Text: "a line of ink\n"}}}))
	h.twice("Finish", func() error {
		if outcome.Status != app.Completed {
			return h.store.Finish(ctx, run, outcome)
		}
		late, err := h.store.CompleteMany(ctx, []app.ProcessRun{run})
		if len(late) > 0 {
			h.t.Errorf("%s, %+v is stale", h.at, late)
		}
		return err
	})
	h.runs[id] = outcome.Status
}

// twice calls do, and once more after an error. The second call must succeed, because only one call fails.
func (h *history) twice(what string, do func() error) {
	h.t.Helper()
	if h.succeeded(what, do()) {
		return
	}
	if err := do(); err != nil {
		h.t.Errorf("%s, %s fails twice: %v", h.at, what, err)
	}
}

// read performs every kind of read.
func (h *history) read(id int64, filter app.Filter) {
	h.t.Helper()
	_, err := h.store.Page(ctx, app.Query{Filter: filter})
	h.succeeded("Page", err)
	_, err = h.store.Run(ctx, id)
	h.succeeded("Run", err)
	_, _, err = h.store.Runs(ctx, filter, 1000, 10)
	h.succeeded("Runs", err)
	_, err = h.store.Log(ctx, app.LogQuery{Run: id, Bytes: 100, Lines: 10})
	h.succeeded("Log", err)
	_, err = h.store.Revisions(ctx, []int64{id})
	h.succeeded("Revisions", err)
	_, err = h.store.FetchDue(ctx, []app.DueKind{{Name: kind}}, 10)
	h.succeeded("FetchDue", err)
}

// act performs a bulk action to its end.
func (h *history) act(action app.BulkAction) {
	h.t.Helper()
	var asked, run app.ProcessRun
	h.twice("CreateBulkAction", func() (err error) {
		asked, err = h.store.CreateBulkAction(ctx, action, "action "+h.round)
		return err
	})
	h.twice("Start", func() (err error) {
		run, err = h.store.Start(ctx, asked)
		return err
	})
	h.runs[run.ID] = app.Started
	var state app.BulkProgress
	for range 5 {
		if next, err := h.store.StepBulkAction(ctx, run); h.succeeded("StepBulkAction", err) {
			state = next
		}
	}
	if !state.Finished || state.Done != 1 {
		h.t.Errorf("%s, the action has come to %+v", h.at, state)
	}
	for _, id := range action.IDs {
		delete(h.runs, id)
	}
}

// check compares what was acknowledged with the store and the file.
func (h *history) check() {
	h.t.Helper()
	create(h.t, h.store, 1)
	// Ready takes so many faults for an outage that comes back.
	if fault := h.store.writer.fault.Load(); fault != nil {
		h.t.Errorf("%s, the writer has a fault after a write: %v", h.at, *fault)
	}
	total, want := checkCounts(h.t, h.store).Total(), h.before+int64(len(h.runs))+1
	if total != want {
		h.t.Errorf("%s, there are %d runs and should be %d", h.at, total, want)
	}
	for id, status := range h.runs {
		if run := get(h.t, h.store, id); run.Status != status {
			h.t.Errorf("%s, run %d was acknowledged as %s and is %+v", h.at, id, status, run)
		}
	}
	pool := openReadOnly(h.t, h.store.options.Path)
	defer pool.Close()
	var verdict string
	if err := pool.Get(&verdict, "PRAGMA integrity_check"); err != nil || verdict != "ok" {
		h.t.Errorf("%s, the file is %q: %v", h.at, verdict, err)
	}
}
