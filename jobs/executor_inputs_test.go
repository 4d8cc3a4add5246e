package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
	"runboard/jobs"
)

func TestExecutor_GivesWorkItsInputs(t *testing.T) {
	t.Parallel()
	given := make(chan app.InputValues, 1)
	a := newAttempts(t, jobs.Kind{Name: "test", Info: app.Kind{Inputs: secretInputs},
		Work: func(_ context.Context, run *jobs.Run) error {
			given <- run.Inputs()
			return nil
		}})
	a.execute(t, a.start(t, "test", secretValues()...))
	if got := <-given; !reflect.DeepEqual(got, secretValues()) {
		t.Errorf("the work has %+v", got)
	}
	a.execute(t, a.start(t, "test"))
	if got := <-given; len(got) > 0 {
		t.Errorf("without inputs the work has %+v", got)
	}
}

func TestExecutor_FailsInputsThatNoLongerFit(t *testing.T) {
	t.Parallel()
	var worked atomic.Bool
	kind := func(inputs ...app.Input) jobs.Kind {
		return jobs.Kind{
			Name: "test", Info: app.Kind{Inputs: inputs, Policy: app.Policy{Attempts: 3}},
			Work: func(context.Context, *jobs.Run) error {
				worked.Store(true)
				return nil
			},
		}
	}
	level := app.Input{Name: "level", Type: app.NumberInput}
	a := newAttempts(t, kind(level))
	six := app.InputValue{Name: "level", Type: app.NumberInput, Texts: []string{"6"}}
	for name, test := range map[string]struct {
		values app.InputValues
		inputs []app.Input
		want   string
	}{
		"a bound": {app.InputValues{six},
			[]app.Input{{Name: "level", Type: app.NumberInput, Rules: app.Rules{Max: "5"}}},
			"level must be at most 5"},
		"a type": {app.InputValues{six}, []app.Input{{Name: "level", Type: app.DateInput}},
			"level must be a date such as 2026-11-27"},
		"an input less": {app.InputValues{six}, nil, "level is not an input of this kind"},
		"a required input": {app.InputValues{six},
			[]app.Input{level, {Name: "user", Type: app.TextInput, Required: true}}, "user is required"},
		"the first required": {nil,
			[]app.Input{{Name: "level", Type: app.NumberInput, Required: true, Default: []string{"1"}}},
			"level is required"},
	} {
		run := a.start(t, "test", test.values...)
		if err := a.executor.Registry.Replace(kind(test.inputs...)); err != nil {
			t.Fatal(err)
		}
		run, _ = a.execute(t, run)
		if run.Status != app.Failed || run.Error != "the inputs no longer fit: "+test.want || worked.Load() {
			t.Errorf("%s: it is %s, %q, and the work was called: %t", name, run.Status,
				run.Error, worked.Load())
		}
	}
	run := a.start(t, "test", six)
	if err := a.executor.Registry.Replace(kind(app.Input{Name: "note", Type: app.TextInput},
		level)); err != nil {
		t.Fatal(err)
	}
	if run, _ := a.execute(t, run); run.Status != app.Completed {
		t.Errorf("with one more input it is %s, %q", run.Status, run.Error)
	}
}

func TestExecutor_FailsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	store := &hookedStore{Store: openStore(t), beforeInputs: func() error { return app.ErrSecretUnknown }}
	work := func(context.Context, *jobs.Run) error { panic("the work was called") }
	executor := newExecutor(t, store,
		jobs.Kind{Name: "test", Info: app.Kind{Inputs: secretInputs}, Work: work})
	executor.MaxAttempts, executor.RunTimeout = 3, patience
	lifecycle, _ := newLifecycle(t)
	a := &attempts{store: store.Store, executor: executor, lifecycle: lifecycle}
	run, _ := a.execute(t, a.start(t, "test", secretValues()...))
	if run.Status != app.Failed || run.Error != "the secret is no longer known" {
		t.Errorf("it is %s, %q", run.Status, run.Error)
	}
}

func TestExecutor_ReadsInputsAgainAfterAnError(t *testing.T) {
	t.Parallel()
	broken := failing(2)
	store := &hookedStore{Store: openStore(t), beforeInputs: broken}
	executor := newExecutor(t, store,
		jobs.Kind{Name: "test", Info: app.Kind{Inputs: secretInputs}, Work: nothing})
	lifecycle, interrupt := newLifecycle(t)
	a := &attempts{store: store.Store, executor: executor, lifecycle: lifecycle}
	if run, _ := a.execute(t, a.start(t, "test", secretValues()...)); run.Status != app.Completed {
		t.Errorf("it is %s, %q", run.Status, run.Error)
	}
	store.beforeInputs = func() error {
		interrupt(jobs.ErrShutdown)
		return errors.New("the database is gone")
	}
	if run, _ := a.execute(t, a.start(t, "test", secretValues()...)); run.Status != app.Created ||
		run.Attempt != 0 {
		t.Errorf("at a shutdown it is %s, attempt %d, %q", run.Status, run.Attempt, run.Error)
	}
}

func TestExecutor_MasksSecretsOfWork(t *testing.T) {
	t.Parallel()
	var work jobs.Work
	a := newAttempts(t, jobs.Kind{
		Name: "test", Info: app.Kind{Inputs: secretInputs},
		Work: func(ctx context.Context, run *jobs.Run) error { return work(ctx, run) },
	})
	var serverLog bytes.Buffer
	a.executor.Log = slog.New(slog.NewTextHandler(&serverLog, nil))
	for name, test := range map[string]struct {
		work jobs.Work
		want string
	}{
		"error": {func(context.Context, *jobs.Run) error {
			return errors.New("no user " + theSecret)
		}, "no user •••"},
		"permanent": {func(context.Context, *jobs.Run) error {
			return jobs.Permanent(errors.New(theSecret))
		}, "•••"},
		"panic": {func(context.Context, *jobs.Run) error { panic("at " + theSecret) },
			"the work panicked; the server's log says where"},
	} {
		work = func(ctx context.Context, run *jobs.Run) error {
			run.Progress(30, strings.Repeat("x", 190)+theSecret) // the message is cut after it is masked
			run.Log("as " + theSecret)
			writer := run.Output()
			_, _ = writer.Write([]byte("as hunter2"))
			_, _ = writer.Write([]byte("hunter2 again"))
			_ = writer.Close()
			return test.work(ctx, run)
		}
		run, log := a.execute(t, a.start(t, "test", secretValues()...))
		if run.Error != test.want || log != "as •••\nas ••• again\n" ||
			run.Progress.Message != strings.Repeat("x", 190)+mask {
			t.Errorf("%s: it is %q, %+v, and the log is %q", name, run.Error, run.Progress, log)
		}
	}
	if text := serverLog.String(); !strings.Contains(text, "at "+mask) || strings.Contains(text, theSecret) {
		t.Errorf("the log of the server is %s", text)
	}
}

func TestExecutor_FollowsTheLimitsOfAKind(t *testing.T) {
	t.Parallel()
	sleeper := func(ctx context.Context, _ *jobs.Run) error { return jobs.Sleep(ctx, time.Hour) }
	limits := app.Policy{Timeout: 20 * time.Millisecond, Attempts: 2}
	a := newAttempts(t,
		jobs.Kind{Name: "limited", Work: sleeper, Info: app.Kind{Policy: limits}},
		jobs.Kind{Name: "other", Work: sleeper})
	a.executor.RunTimeout, a.executor.MaxAttempts = 30*time.Millisecond, 1
	run, _ := a.execute(t, a.start(t, "other"))
	if run.Status != app.Failed || run.Error != "timed out after 30 ms (limit)" {
		t.Errorf("without own limits it is %s, %q", run.Status, run.Error)
	}
	run, _ = a.execute(t, a.start(t, "limited"))
	if run.Status != app.Created || run.Error != "timed out after 20 ms (limit)" {
		t.Errorf("the first attempt is %s, %q", run.Status, run.Error)
	}
	run, err := a.store.Start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	if run, _ = a.execute(t, run); run.Status != app.Failed || run.Error != "timed out after 20 ms (limit)" {
		t.Errorf("the second attempt is %s, %q", run.Status, run.Error)
	}
	for kind, want := range map[string]time.Duration{"limited": 20 * time.Millisecond,
		"other": 30 * time.Millisecond, "none": 30 * time.Millisecond} {
		if got := a.executor.Timeout(kind); got != want {
			t.Errorf("the timeout of %s is %v, want %v", kind, got, want)
		}
	}
}

// TestExecutor_AttemptKeepsItsDefinition replaces the kinds while an attempt is under way.
func TestExecutor_AttemptKeepsItsDefinition(t *testing.T) {
	t.Parallel()
	kind := func(answer string, attempts int, work func()) jobs.Kind {
		return jobs.Kind{
			Name: "test", Info: app.Kind{Policy: app.Policy{Attempts: attempts}},
			Work: func(_ context.Context, run *jobs.Run) error {
				work()
				run.Log(answer)
				return errors.New(answer)
			},
		}
	}
	a := newAttempts(t, jobs.Kind{Name: "test", Work: nothing})
	second := kind("second", 5, func() {})
	first := kind("first", 2, func() {
		if err := a.executor.Registry.Replace(second); err != nil {
			t.Error(err)
		}
	})
	if err := a.executor.Registry.Replace(first); err != nil {
		t.Fatal(err)
	}
	run, _ := a.execute(t, a.start(t, "test"))
	if run.Status != app.Created || run.Error != "first" {
		t.Errorf("the first attempt is %s, %q", run.Status, run.Error)
	}
	run, err := a.store.Start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	run, log := a.execute(t, run)
	if run.Status != app.Created || run.Error != "second" || log != "first\nattempt 2 of 5\nsecond\n" {
		t.Errorf("the second attempt is %s, %q, and the log is %q", run.Status, run.Error, log)
	}
}

// TestQueue_GivesEachAttemptItsInputs covers what the queue reads of a run, which is less than a page reads.
func TestQueue_GivesEachAttemptItsInputs(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	given := make(chan app.InputValues, 2)
	start(t, newQueue(store, jobs.Kind{
		Name: "test", Info: app.Kind{Inputs: secretInputs, Policy: app.Policy{Attempts: 2}},
		Work: func(_ context.Context, run *jobs.Run) error {
			given <- run.Inputs()
			return jobs.RetryAfter(0, errBroken)
		},
	}))
	if _, err := store.Create(t.Context(),
		app.CreateRequest{Kind: "test", Count: 1, Inputs: secretValues()}); err != nil {
		t.Fatal(err)
	}
	for attempt := range 2 {
		if got := receive(t, given, "the work"); !reflect.DeepEqual(got, secretValues()) {
			t.Errorf("attempt %d has %+v", attempt+1, got)
		}
	}
	waitForCount(t, store, 1, app.Failed)
}
