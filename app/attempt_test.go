package app

import (
	"slices"
	"testing"
	"time"
)

// history plays the transitions of a run, one a second, and returns its events.
type history struct {
	t      *testing.T
	run    ProcessRun
	events []Event
	at     time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	return &history{t: t, run: ProcessRun{ID: 1, Status: Created, Version: 1, CreatedAt: at}, at: at}
}

// apply adds the result of a transition, a second after the last one.
func (h *history) apply(transition func(run ProcessRun, at time.Time) (ProcessRun, Event, error)) *history {
	h.t.Helper()
	h.at = h.at.Add(time.Second)
	run, event, err := transition(h.run, h.at)
	if err != nil {
		h.t.Fatal(err)
	}
	h.run, h.events = run, append(h.events, event)
	return h
}

func (h *history) finish(status Status, reason string) *history {
	h.t.Helper()
	return h.apply(func(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
		return Finish(run, Outcome{Status: status, Error: reason}, at)
	})
}

func (h *history) crash(most int) *history {
	h.t.Helper()
	return h.apply(func(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
		return Crash(run, most, at)
	})
}

func (h *history) retry() *history {
	h.t.Helper()
	return h.apply(func(run ProcessRun, at time.Time) (ProcessRun, Event, error) {
		return Retry(run, time.Time{}, at)
	})
}

// second returns the time n seconds after the creation of the run.
func second(n int) time.Time { return time.Date(2026, 11, 27, 12, 0, n, 0, time.UTC) }

func TestAttempts_TellHowEachEnded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []Event
		want   []Attempt
	}{
		"none": {nil, nil},
		"one that goes on": {newHistory(t).apply(Start).events, []Attempt{
			{Number: 1, Status: Started, StartedAt: second(1)},
		}},
		"one that completed": {newHistory(t).apply(Start).finish(Completed, "").events, []Attempt{
			{Number: 1, Status: Completed, StartedAt: second(1), EndedAt: second(2)},
		}},
		"two of which the first failed": {
			newHistory(t).apply(Start).finish(Created, "boom").apply(Start).finish(Failed, "bang").events,
			[]Attempt{
				{Number: 1, Status: Failed, Note: "boom", StartedAt: second(1), EndedAt: second(2)},
				{Number: 2, Status: Failed, Note: "bang", StartedAt: second(3), EndedAt: second(4)},
			},
		},
		"a retry by hand begins again": {
			newHistory(t).apply(Start).finish(Failed, "boom").retry().apply(Start).events,
			[]Attempt{
				{Number: 1, Status: Failed, Note: "boom", StartedAt: second(1), EndedAt: second(2)},
				{Number: 1, Retried: second(3), Status: Started, StartedAt: second(4)},
			},
		},
		"interrupted ones do not count": {
			newHistory(t).apply(Start).apply(Requeue).apply(Start).crash(2).apply(Start).events,
			[]Attempt{
				{Number: 1, Status: Created, Note: NoteInterrupted, StartedAt: second(1), EndedAt: second(2)},
				{Number: 1, Status: Created, Note: NoteCrashed, StartedAt: second(3), EndedAt: second(4)},
				{Number: 1, Status: Started, StartedAt: second(5)},
			},
		},
		"one crash too many": {newHistory(t).apply(Start).crash(1).events, []Attempt{
			{Number: 1, Status: Failed, Note: NoteCrashed, StartedAt: second(1), EndedAt: second(2)},
		}},
		"a cancel request is not a start": {
			newHistory(t).apply(Start).apply(RequestCancel).finish(Completed, "").events,
			[]Attempt{{
				Number: 1, Status: Cancelled, Note: ErrorDoneBeforeCancel,
				StartedAt: second(1), EndedAt: second(3),
			}},
		},
		"a run that was cancelled before it started, and retried": {
			newHistory(t).apply(RequestCancel).retry().apply(Start).events,
			[]Attempt{{Number: 1, Retried: second(2), Status: Started, StartedAt: second(3)}},
		},
	} {
		checkAttempts(t, name, test.events, test.want)
	}
}

func TestAttempts_BeginWithAStart(t *testing.T) {
	t.Parallel()
	failed := newHistory(t).apply(Start).finish(Created, "boom").apply(Start)
	checkAttempts(t, "dropped events", failed.events[1:], []Attempt{
		{Number: 2, Status: Started, StartedAt: second(3)},
	})
	cancelled := newHistory(t).apply(Start).apply(RequestCancel).finish(Cancelled, "").retry().apply(Start)
	checkAttempts(t, "dropped events up to a cancel request", cancelled.events[1:], []Attempt{
		{Number: 1, Retried: second(4), Status: Started, StartedAt: second(5)},
	})
}

func checkAttempts(t *testing.T, name string, events []Event, want []Attempt) {
	t.Helper()
	if got := Attempts(events); !slices.Equal(got, want) {
		t.Errorf("%s: %+v\nwant %+v", name, got, want)
	}
}

func TestAttempt_TookUntilItsEnd(t *testing.T) {
	t.Parallel()
	attempt := Attempt{StartedAt: second(2)}
	if took := attempt.Took(second(7)); took != 5*time.Second {
		t.Errorf("an attempt that goes on has taken %v", took)
	}
	attempt.EndedAt = second(4)
	if took := attempt.Took(second(7)); took != 2*time.Second {
		t.Errorf("an attempt that has ended took %v", took)
	}
}

func TestAttempts_KeepTheLogOffset(t *testing.T) {
	t.Parallel()
	events := newHistory(t).apply(Start).finish(Created, "boom").apply(Start).events
	events[0].LogOffset, events[1].LogOffset, events[2].LogOffset = 0, UnknownOffset, 420
	attempts := Attempts(events)
	if attempts[0].LogOffset != 0 || attempts[1].LogOffset != 420 {
		t.Errorf("the attempts begin at %d and %d", attempts[0].LogOffset, attempts[1].LogOffset)
	}
}
