package app

import (
	"strconv"
	"strings"
	"time"
)

// ProcessRun is one row. Times are in UTC with millisecond precision; the zero time means "not yet".
type ProcessRun struct {
	ID      int64  `json:"id"`
	Kind    string `json:"kind"`
	Status  Status `json:"status"`
	Version int64  `json:"version"`
	// Attempt counts the attempts, including the current one; 0 before the first. Interrupted attempts do not
	// count.
	Attempt int `json:"attempt"`
	// Crashes counts how often a crash of the process interrupted the run.
	Crashes int `json:"crashes"`
	// FencingToken rises with every start. Only stores use it.
	FencingToken int64 `json:"-"`
	// Error is a sentence for a person: why the run failed, was cancelled, or is retried.
	Error string `json:"error,omitzero"`
	// Failure is the ID of the Failure of a failed run, else 0.
	Failure int64 `json:"failure,omitzero"`

	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// StartedAt is when the current or last attempt started.
	StartedAt time.Time `json:"started_at,omitzero"`
	// FinishedAt is when the run finished.
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// ScheduledAt is when a created run may start; zero: now.
	ScheduledAt time.Time `json:"scheduled_at,omitzero"`
	// CancelRequestedAt is when cancellation of a started run was requested. Its work may still go on.
	CancelRequestedAt time.Time `json:"cancel_requested_at,omitzero"`

	Progress

	// InputCount is the number of inputs that have a value. Inputs are these values without secrets, if the
	// reader has read them: pages and lists do, engines do not.
	InputCount int       `json:"-"`
	Inputs     RunInputs `json:"inputs,omitzero"`
	// ConcurrencyKey is that of Policy.ConcurrencyKeyOf when the run was created. Only stores and engines use
	// it.
	ConcurrencyKey string `json:"-"`
	// Waiting says why a created run does not start, if the reader has read it.
	Waiting Waiting `json:"waiting,omitzero"`
	// QueuedAt is when a run that was queued again began to wait for its last attempt, if the reader has read
	// it: pages and lists do, engines do not. It is zero while the run waits.
	QueuedAt time.Time `json:"-"`
}

// Progress is what the work of the current or last attempt reported.
type Progress struct {
	Percent Percent `json:"percent"`
	Message string  `json:"message,omitzero"`
}

// Percent is 0 to 100, or NoPercent, which is null in JSON.
type Percent int8

// NoPercent is the Percent of work that has not reported one.
const NoPercent Percent = -1

// MarshalJSON returns a number, or null for NoPercent.
func (p Percent) MarshalJSON() ([]byte, error) {
	if p == NoPercent {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(p), 10), nil
}

// Known reports whether the percentage is known.
func (p Percent) Known() bool { return p != NoPercent }

// CancelRequested reports whether the run is started and its cancellation was requested.
func (r ProcessRun) CancelRequested() bool {
	return r.Status == Started && !r.CancelRequestedAt.IsZero()
}

// Waited returns how long the run waited for its last attempt or, if it was cancelled while it waited, for
// its cancellation. It is not known while the run waits, nor if it was started again and has no QueuedAt.
func (r ProcessRun) Waited() (d time.Duration, known bool) {
	queued := r.QueuedAt
	if queued.IsZero() {
		queued = r.CreatedAt
	}
	switch {
	case r.Status == Created || r.QueuedAt.IsZero() && r.FencingToken > 1:
		return 0, false
	case r.cancelledAfter(queued):
		return max(0, r.FinishedAt.Sub(queued)), true
	}
	return max(0, r.StartedAt.Sub(queued)), !r.StartedAt.IsZero()
}

// cancelledAfter reports whether the run was cancelled while it waited, given when it began to wait. Its last
// attempt, if any, was then before, perhaps in the same millisecond.
func (r ProcessRun) cancelledAfter(queued time.Time) bool {
	return r.Status == Cancelled && r.CancelRequestedAt.IsZero() && !r.StartedAt.After(queued)
}

// WasQueuedAgain reports whether the history of the run may tell when it began to wait for its last attempt.
func (r ProcessRun) WasQueuedAgain() bool {
	return r.Status != Created && (r.FencingToken > 1 || r.Status == Cancelled)
}

// Duration returns how long the last attempt took. It is not known of runs that have not finished or never
// started.
func (r ProcessRun) Duration() (d time.Duration, known bool) {
	if !r.Status.Final() || r.StartedAt.IsZero() {
		return 0, false
	}
	end := r.FinishedAt
	if !r.QueuedAt.IsZero() && r.cancelledAfter(r.QueuedAt) {
		end = r.QueuedAt
	}
	return end.Sub(r.StartedAt), true
}

// DueAfter returns when a created run becomes due, if that is after now, or else the zero time.
func (r ProcessRun) DueAfter(now time.Time) time.Time {
	if r.Status == Created && r.ScheduledAt.After(now) {
		return r.ScheduledAt
	}
	return time.Time{}
}

// Quarantined reports whether a crash interrupted the run, which may have caused it, and the next one would
// fail it.
func (r ProcessRun) Quarantined(maxCrashes int) bool {
	return r.Crashes > 0 && r.Crashes+1 >= maxCrashes
}

// CreateRequest asks for new runs.
type CreateRequest struct {
	Kind  string
	Count int // 1 to MaxCount
	// Inputs are the checked values of all these runs, secrets included.
	Inputs InputValues
	// IdempotencyKey makes the request repeatable: the same key returns the first batch again. It is "", or 1
	// to MaxKey bytes of printable ASCII.
	IdempotencyKey string
}

// Limits of a CreateRequest.
const (
	DefaultCount = 10
	MaxCount     = 1000 // one transaction; a thousand rows commit in a few milliseconds
	MaxKey       = 200  // bytes; room for a UUID or a hash with a prefix
)

// ValidKey reports whether key can be the IdempotencyKey of a CreateRequest, or is "".
func ValidKey(key string) bool {
	isUnprintable := func(r rune) bool { return r <= ' ' || r > '~' }
	return len(key) <= MaxKey && !strings.ContainsFunc(key, isUnprintable)
}

// Batch is the result of a CreateRequest: Count runs with consecutive ids.
type Batch struct {
	First     int64
	Count     int
	Kind      string
	CreatedAt time.Time

	InputCount     int // of each run, as are Inputs and ConcurrencyKey
	Inputs         RunInputs
	ConcurrencyKey string
}

// Last returns the highest id of the batch.
func (b Batch) Last() int64 { return b.First + int64(b.Count) - 1 }

// Runs returns the runs as they were created, so that a repeated request gets the same answer.
func (b Batch) Runs() []ProcessRun {
	runs := make([]ProcessRun, b.Count)
	for i := range runs {
		runs[i] = ProcessRun{
			ID: b.First + int64(i), Kind: b.Kind, Status: Created, Version: 1,
			CreatedAt: b.CreatedAt, UpdatedAt: b.CreatedAt, Progress: Progress{Percent: NoPercent},
			InputCount: b.InputCount, Inputs: b.Inputs, ConcurrencyKey: b.ConcurrencyKey,
		}
	}
	return runs
}

// RunPage is the content of the page of a run, read from one state of the database.
type RunPage struct {
	Run      ProcessRun
	Events   []Event  // oldest first, the newest MaxEvents of them
	Log      Log      // its newest lines
	LogFocus LogFocus // set by a caller that shows another part of the log
	// MedianDuration is the median of the newest completed runs of the kind, or 0 if there are none.
	MedianDuration time.Duration
	// LastSuccess is, for a failed run, an earlier completed run of the same kind to compare with, or 0: the
	// newest one with the same inputs or, if none is found among the newest, the newest one.
	LastSuccess int64
	Position    Position
	// Node is the number of the node that works on the run, or did last; 0 if there is only one.
	Node int64
	// Failure is that of a failed run, without its hours and its latest run; else the zero Failure.
	Failure Failure
	Overview
}

// Revision changes whenever something changes that the page of the run shows.
type Revision struct {
	Version, LogEnd int64
	Waiting         Waiting
	Triage          Triage // of the failure of the run
	// Position changes whenever another run starts. Only a RunPage has it.
	Position Position
}

// Revision returns the revision of the run.
func (p RunPage) Revision() Revision {
	return Revision{
		Version: p.Run.Version, LogEnd: p.Log.End, Waiting: p.Run.Waiting, Triage: p.Failure.Triage,
		Position: p.Position,
	}
}

// Neighbours are the runs next to a run in a list; 0 is none.
type Neighbours struct {
	Newer, Older int64
}

// Event is an entry in the history of a run.
type Event struct {
	Version int64 // of the run after the change
	At      time.Time
	Status  Status // after the change
	Attempt int
	Note    string // a sentence, or ""
	// LogOffset is the length of the log when an attempt started, so its lines begin there. It is
	// UnknownOffset for other events, and for starts that were recorded by an older version of the program.
	LogOffset int64
}

// UnknownOffset is the LogOffset of an event that has none.
const UnknownOffset int64 = -1

// MaxEvents is how many events of a run are kept, so that a run that is retried again and again stays small.
const MaxEvents = 200

// Overview has the facts about all runs that every page shows.
type Overview struct {
	Counts Counts
	// Unhandled are the kinds of waiting runs that no worker handles.
	Unhandled UnhandledKinds
	Paused    PausedKinds
	// Muted is the number of failed runs whose group is muted.
	Muted int64
}

// Failed returns the number of failed runs that want attention: those whose group is not muted.
func (o Overview) Failed() int64 { return o.Counts[Failed] - o.Muted }

// Counts has the number of runs in each status.
type Counts [StatusCount]int64

// Total returns the number of all runs.
func (c Counts) Total() (n int64) {
	for _, count := range c {
		n += count
	}
	return n
}
