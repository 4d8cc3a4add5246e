package dbtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runboard/app"
)

// These limits are low, so that short random sequences of operations reach them.
const (
	modelMaxPending = 40
	modelMaxCrashes = 2
)

// testRandomOperations compares a store with a model after random operations, which include those of
// app.QueueStore if the store has them.
func testRandomOperations(t *testing.T, subject Subject) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, subject)
		operations := map[string]func(*rapid.T){
			"":         m.compare,
			"create":   m.create,
			"start":    m.start,
			"finish":   m.finish,
			"requeue":  m.requeue,
			"progress": m.saveProgress,
			"cancel":   m.cancel,
			"retry":    m.retry,
			"advance": func(t *rapid.T) {
				m.clock.Advance(time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond)
			},
			"page": m.readPage,
		}
		if subject.Reopen != nil {
			operations["crash"] = m.crash
		}
		if _, queue := m.store.(app.QueueStore); queue {
			maps.Copy(operations, m.queueOperations())
		}
		t.Repeat(operations)
		if got := m.all(); !slices.EqualFunc(got, m.list(), same) {
			t.Fatalf("the runs are\n%+v and not\n%+v", got, m.list())
		}
	})
}

func (m *model) create(t *rapid.T) {
	request := app.CreateRequest{
		Kind:           rapid.SampledFrom([]string{"a", "b"}).Draw(t, "kind"),
		Count:          rapid.IntRange(1, 15).Draw(t, "count"),
		Inputs:         rapid.SampledFrom(modelInputs()).Draw(t, "inputs"),
		IdempotencyKey: rapid.SampledFrom([]string{"", "", "x", "y"}).Draw(t, "key"),
	}
	before, known := m.keys[request.IdempotencyKey]
	batch, err := m.store.Create(ctx, request)
	switch {
	case known && (before.Count != request.Count || before.Kind != request.Kind ||
		before.InputCount != len(request.Inputs)):
		m.expect(t, err, app.CodeInvalid)
	case known:
		if m.expect(t, err, ""); batch != before {
			t.Fatalf("the batch was %+v and is %+v", before, batch)
		}
	case count(m.list())[app.Created]+int64(request.Count) > modelMaxPending:
		m.expect(t, err, app.CodeUnavailable)
	case m.expect(t, err, ""):
		m.add(t, request, batch)
	}
}

// modelInputs are the inputs that runs of the model have: none, a public one, or also a secret.
func modelInputs() []app.InputValues {
	level := app.InputValue{Name: "level", Type: app.NumberInput, Texts: []string{"6"}}
	token := app.InputValue{Name: "token", Type: app.SecretInput, Texts: []string{"hunter2"}}
	return []app.InputValues{nil, {level}, {level, token}}
}

func hadSecret(run app.ProcessRun) bool { return run.InputCount > len(run.Inputs.Values()) }

func (m *model) add(t *rapid.T, request app.CreateRequest, batch app.Batch) {
	if batch.First <= m.last {
		t.Fatalf("run %d was created after run %d", batch.First, m.last)
	}
	for i := range request.Count {
		id := batch.First + int64(i)
		m.runs[id] = app.ProcessRun{
			ID: id, Kind: request.Kind, Status: app.Created, Version: 1,
			CreatedAt: m.clock.Now(), UpdatedAt: m.clock.Now(),
			Progress: app.Progress{Percent: app.NoPercent}, InputCount: len(request.Inputs),
			Inputs: app.NewRunInputs(request.Inputs),
		}
		m.last = id
	}
	if request.IdempotencyKey != "" {
		m.keys[request.IdempotencyKey] = batch
	}
}

// start starts one of the oldest waiting runs, or a run in any status, or one that does not exist.
func (m *model) start(t *rapid.T) {
	id := rapid.Int64Range(1, m.last+1).Draw(t, "id")
	if oldest := ids(m.waiting(3)); len(oldest) > 0 && rapid.Bool().Draw(t, "waits") {
		id = rapid.SampledFrom(oldest).Draw(t, "oldest")
	}
	run, exists := m.runs[id]
	started, err := m.store.Start(ctx, app.ProcessRun{ID: id, Status: app.Created, Version: run.Version})
	if !exists || run.Status != app.Created {
		m.expect(t, err, app.CodeConflict)
		return
	}
	m.expect(t, err, "")
	m.begun(t, run, started)
}

// begun checks a started run and updates the model.
func (m *model) begun(t *rapid.T, run, started app.ProcessRun) {
	if started.FencingToken <= run.FencingToken {
		t.Fatalf("the fencing token was %d and is %d", run.FencingToken, started.FencingToken)
	}
	m.attempts = append(m.attempts, started)
	m.changed(t, run, app.Started)
	run = m.runs[run.ID]
	run.FencingToken = started.FencingToken
	run.Error = ""
	run.StartedAt = m.clock.Now()
	run.ScheduledAt = time.Time{}
	run.Progress = app.Progress{Percent: app.NoPercent}
	run.Attempt++
	m.runs[run.ID] = run
	started.Inputs = run.Inputs // it need not read them
	if got := m.get(run.ID); got != started {
		t.Fatalf("the result is\n%+v and the stored run\n%+v", started, got)
	}
}

// attempt draws a run as Start returned it. holds reports whether its fencing token is still valid.
func (m *model) attempt(t *rapid.T) (attempt, run app.ProcessRun, holds bool) {
	if len(m.attempts) == 0 {
		t.Skip("no run was ever started")
	}
	recent := m.attempts[max(0, len(m.attempts)-5):] // older ones are rarely valid
	attempt = rapid.SampledFrom(recent).Draw(t, "attempt")
	run = m.runs[attempt.ID]
	return attempt, run, run.Status == app.Started && run.FencingToken == attempt.FencingToken
}

func (m *model) finish(t *rapid.T) {
	attempt, run, holds := m.attempt(t)
	statuses := []app.Status{app.Completed, app.Failed, app.Cancelled, app.Created}
	outcome := app.Outcome{Status: rapid.SampledFrom(statuses).Draw(t, "status")}
	if outcome.Status != app.Completed {
		outcome.Error = rapid.SampledFrom([]string{"", "A sentence."}).Draw(t, "error")
	}
	if outcome.Status == app.Created && rapid.Bool().Draw(t, "later") {
		outcome.RetryIn = time.Second
	}
	err := m.store.Finish(ctx, attempt, outcome)
	if !holds {
		m.expect(t, err, app.CodeConflict)
		return
	}
	m.expect(t, err, "")
	m.ended(t, run, outcome)
}

// ended updates the model for the end of an attempt.
func (m *model) ended(t *rapid.T, run app.ProcessRun, outcome app.Outcome) {
	if run.CancelRequested() { // the request prevails over any outcome
		if outcome.Status == app.Completed {
			outcome.Error = "The work was done before it could be stopped."
		}
		outcome.Status, outcome.RetryIn = app.Cancelled, 0
	}
	m.changed(t, run, outcome.Status)
	run = m.runs[run.ID]
	run.Error, run.ScheduledAt = outcome.Error, time.Time{}
	if outcome.RetryIn > 0 {
		run.ScheduledAt = m.clock.Now().Add(outcome.RetryIn)
	}
	m.runs[run.ID] = run
}

func (m *model) saveProgress(t *rapid.T) {
	attempt, run, holds := m.attempt(t)
	progress := app.Progress{
		Percent: app.Percent(rapid.IntRange(-1, 100).Draw(t,
			"percent")), Message: rapid.SampledFrom([]string{"", "copying"}).Draw(t, "message"),
	}
	err := m.store.SaveProgress(ctx, attempt, app.ProgressUpdate{Progress: &progress})
	if !holds {
		m.expect(t, err, app.CodeConflict)
		return
	}
	m.expect(t, err, "")
	run.Progress, run.UpdatedAt = progress, m.clock.Now()
	run.Version++
	m.runs[run.ID] = run
}

// anyone draws a recent run in any status, or one that does not exist.
func (m *model) anyone(t *rapid.T) (id int64, run app.ProcessRun, exists bool) {
	id = rapid.Int64Range(max(1, m.last-5), m.last+1).Draw(t, "id")
	run, exists = m.runs[id]
	return id, run, exists
}

func (m *model) cancel(t *rapid.T) {
	id, run, exists := m.anyone(t)
	got, err := m.store.Cancel(ctx, id)
	switch {
	case !exists:
		m.expect(t, err, app.CodeNotFound)
		return
	case run.Status.Final():
		m.expect(t, err, app.CodeConflict)
		return
	case run.Status == app.Created:
		run.ScheduledAt = time.Time{}
		m.changed(t, run, app.Cancelled)
	case !run.CancelRequested():
		run.CancelRequestedAt, run.UpdatedAt = m.clock.Now(), m.clock.Now()
		run.Version++
		m.runs[id] = run
	}
	if m.expect(t, err, ""); !same(got, m.runs[id]) {
		t.Fatalf("the result is\n%+v and not\n%+v", got, m.runs[id])
	}
}

func (m *model) retry(t *rapid.T) {
	id, run, exists := m.anyone(t)
	got, err := m.store.Retry(ctx, id)
	switch {
	case !exists:
		m.expect(t, err, app.CodeNotFound)
	case run.Status != app.Failed && run.Status != app.Cancelled:
		m.expect(t, err, app.CodeConflict)
	case hadSecret(run):
		m.expect(t, err, app.CodeConflict)
	case count(m.list())[app.Created] >= modelMaxPending:
		m.expect(t, err, app.CodeUnavailable)
	case m.expect(t, err, ""):
		m.changed(t, run, app.Created)
		after := m.runs[id]
		m.runs[id] = app.ProcessRun{
			ID: id, Kind: run.Kind, Version: after.Version, FencingToken: run.FencingToken,
			CreatedAt: run.CreatedAt, UpdatedAt: after.UpdatedAt,
			Progress: app.Progress{Percent: app.NoPercent}, InputCount: run.InputCount, Inputs: run.Inputs,
		}
		if !same(got, m.runs[id]) {
			t.Fatalf("the result is\n%+v and not\n%+v", got, m.runs[id])
		}
	}
}

func (m *model) requeue(t *rapid.T) {
	attempt, run, holds := m.attempt(t)
	err := m.store.Requeue(ctx, attempt)
	if !holds {
		m.expect(t, err, app.CodeConflict)
		return
	}
	m.expect(t, err, "")
	run.Attempt--
	m.changed(t, run, requeuedStatus(run))
}

// requeuedStatus returns the status of a run after Requeue. A run with a cancel request does not start again.
func requeuedStatus(run app.ProcessRun) app.Status {
	if run.CancelRequested() {
		return app.Cancelled
	}
	return app.Created
}

// crash reopens the store, which interrupts all started runs.
func (m *model) crash(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		t.Skip("a reopen is slow, so it is rare")
	}
	m.store = m.subject.Reopen(t, m.store)
	for _, run := range m.list() {
		if run.Status != app.Started {
			continue
		}
		run.Crashes++
		switch {
		case run.CancelRequested() || run.Crashes < modelMaxCrashes:
			run.Attempt--
			m.changed(t, run, requeuedStatus(run))
		default:
			run.Error = fmt.Sprintf("crashed: the process died %d times during this run", run.Crashes)
			m.changed(t, run, app.Failed)
		}
	}
}

// readPage compares a random page with the model.
func (m *model) readPage(t *rapid.T) {
	query := rapid.SampledFrom(filters()).Draw(t, "list")
	query = query.WithCursor(app.Direction(rapid.IntRange(0, 2).Draw(t, "direction")),
		rapid.Int64Range(0, m.last+1).Draw(t, "cursor"))
	got, want := m.page(query), expected(m.list(), query)
	if !slices.EqualFunc(got.Runs, want.Runs, same) || got.HasNewer != want.HasNewer ||
		got.HasOlder != want.HasOlder {
		t.Fatalf("the page of %+v is\n%+v and not\n%+v", query, got, want)
	}
}
