package app

import (
	"context"
	"errors"
	"time"
)

// Store is the store that pages, sockets and the API use. Its methods may be called from any goroutine. All
// of them fail with CodeUnavailable while the database cannot serve.
type Store interface {
	Reader

	// Create inserts runs in one transaction and returns after its commit. With an idempotency key that was
	// used before, it returns the first batch and writes nothing. It fails with CodeInvalid if the key was
	// used for another request, and with CodeUnavailable if too many runs are waiting. If ctx ends, the runs
	// may exist although Create fails.
	Create(ctx context.Context, request CreateRequest) (Batch, error)

	// Cancel cancels a created run at once, and requests cancellation of a started one, which is cancelled
	// when its work returns. Repeating it changes nothing. It returns the changed run, and fails with
	// CodeNotFound, or with CodeConflict if the run has finished.
	Cancel(ctx context.Context, id int64) (ProcessRun, error)

	// Retry returns a failed or cancelled run to created, with all its attempts and the same inputs. It
	// returns the changed run, and fails with CodeNotFound, with CodeConflict if the run is in another
	// status or had a secret input, and with CodeUnavailable if too many runs are waiting.
	Retry(ctx context.Context, id int64) (ProcessRun, error)

	// Undo is Retry for a run that was cancelled and has not changed since. version is that of the run after
	// its cancellation. It fails like Retry, and with CodeConflict if the run has another version.
	Undo(ctx context.Context, id, version int64) (ProcessRun, error)

	// UndoBulk creates a run that retries the runs that a bulk run cancelled before they were started and
	// that have not changed since. kept is the number of runs that the bulk run changed but that stay as they
	// are. It fails with CodeNotFound, and with CodeConflict if there is nothing to undo, or more than
	// MaxUndone runs. key makes it repeatable as in CreateRequest.
	UndoBulk(ctx context.Context, bulkRun int64, key string) (run ProcessRun, kept int64, _ error)

	// Delete deletes a finished run with its log and history. It fails with CodeNotFound, and with
	// CodeConflict if the run has not finished.
	Delete(ctx context.Context, id int64) error

	// PauseKind pauses a kind, or resumes it: created runs of a paused kind wait. Repeating it changes
	// nothing.
	PauseKind(ctx context.Context, kind string, paused bool) error

	// AnnotateFailure sets the note of a group of failures. note is a result of ParseNote. It returns the
	// group, and fails with CodeNotFound.
	AnnotateFailure(ctx context.Context, id int64, note string) (Failure, error)

	// MuteFailure mutes a group of failures until a time, or unmutes it if that is zero. It returns the
	// group, and fails with CodeNotFound.
	MuteFailure(ctx context.Context, id int64, until time.Time) (Failure, error)

	// CreateBulkAction creates a run that performs action. It is not limited by the number of waiting runs,
	// because the action may reduce it. key makes it repeatable as in CreateRequest. It fails with
	// CodeConflict if the action no longer fits its preview.
	CreateBulkAction(ctx context.Context, action BulkAction, key string) (ProcessRun, error)

	// Changed notifies after every commit that changed something.
	Changed() *Notifier

	// Ready returns nil if the store can read and write, as far as it knows without trying.
	Ready() error
}

// Reader is the part of a Store that only reads.
type Reader interface {
	// Run returns the content of the page of a run. It fails with CodeNotFound.
	Run(ctx context.Context, id int64) (RunPage, error)

	// Neighbours returns the runs next to a run in the list of the runs that match filter. The run itself
	// need not match, or exist. A search that stops early finds none.
	Neighbours(ctx context.Context, filter Filter, run int64) (Neighbours, error)

	// RunsByID returns the runs with these ids, newest first. Missing runs are omitted.
	RunsByID(ctx context.Context, ids []int64) ([]ProcessRun, error)

	// Page returns a page of runs.
	Page(ctx context.Context, query Query) (Page, error)

	// Runs returns the newest matching runs with ids below before, at most limit of them, for callers that go
	// through all. next is the value of before for the following call, or 0 at the end.
	Runs(ctx context.Context, filter Filter, before int64, limit int) (_ []ProcessRun, next int64, _ error)

	// Revisions returns the revision of each run, without its Position, so that callers can skip unchanged
	// ones. Missing runs are omitted.
	Revisions(ctx context.Context, runs []int64) (map[int64]Revision, error)

	// Log returns a part of a run's log. It fails with CodeNotFound.
	Log(ctx context.Context, query LogQuery) (Log, error)

	// SearchLog returns the first lines of a run's log that contain a text. It fails with CodeNotFound.
	SearchLog(ctx context.Context, search LogSearch) (LogHits, error)

	// Statistics returns throughput and durations of a lookback. The last seconds may be missing and, after a
	// crash, the last seconds before it.
	Statistics(ctx context.Context, lookback Lookback) (Statistics, error)

	// Timeline returns what runs did in a window of time.
	Timeline(ctx context.Context, query TimelineQuery) (Timeline, error)

	// Failures returns the failed runs, grouped by error.
	Failures(ctx context.Context, sort FailureSort) (Failures, error)

	// Failure returns a group of failures, which may have no runs. It fails with CodeNotFound.
	Failure(ctx context.Context, id int64) (Failure, error)

	// KindOverviews returns how the runs of these kinds fare, in the same order.
	KindOverviews(ctx context.Context, kinds []string) ([]KindOverview, error)

	// QueueAhead returns what a run of a kind that is created now would wait for. key is its concurrency key.
	QueueAhead(ctx context.Context, kind Kind, key string) (QueueAhead, error)

	// PreviewBulk counts the runs that a bulk action would change now.
	PreviewBulk(ctx context.Context, action BulkAction) (BulkPreview, error)
}

// WorkStore records how the work on runs goes. Its methods may be called from any goroutine. All changes are
// conditional: they fail with CodeConflict and change nothing if the run is no longer as the caller read it.
type WorkStore interface {
	// Start takes a run from created to started, raises its fencing token, and returns it. The start is
	// committed when Start returns, so that a crash during the work is counted against the run.
	Start(ctx context.Context, run ProcessRun) (ProcessRun, error)

	// SaveProgress saves what the work of a started run reported. After an error the same update may be saved
	// again, before any other of the run; it is then saved once.
	SaveProgress(ctx context.Context, run ProcessRun, update ProgressUpdate) error

	// Finish ends the attempt that Start began. If cancellation of the run was requested, it is cancelled
	// whatever the outcome.
	Finish(ctx context.Context, run ProcessRun, outcome Outcome) error

	// Requeue returns an interrupted run from started to created; the attempt does not count. If cancellation
	// of the run was requested, it is cancelled instead.
	Requeue(ctx context.Context, run ProcessRun) error

	// Inputs returns the values that a run was created with, secrets included. It fails with ErrSecretUnknown
	// if one of these cannot be decrypted.
	Inputs(ctx context.Context, run ProcessRun) (InputValues, error)

	// CancelRequests returns the started runs whose cancellation is requested.
	CancelRequests(ctx context.Context) ([]CancelRequest, error)

	// Changed notifies after every commit that changed something.
	Changed() *Notifier
}

// QueueStore is the store that the queue of a single process fetches from. No other process may fetch.
type QueueStore interface {
	WorkStore

	// FetchDue returns the oldest created runs of these kinds that are due, at most limit of them. It omits
	// the runs of paused kinds. Neither the number of waiting runs that it omits nor that of other kinds
	// affects its cost.
	FetchDue(ctx context.Context, kinds []DueKind, limit int) ([]ProcessRun, error)

	// RequeueSeq rises whenever runs return to created, which may be older than others that wait. It rises
	// before the notification and reads no database.
	RequeueSeq() int64

	// EnqueueSeq rises whenever runs come to wait, whether new or returned. It rises before the notification
	// and reads no database.
	EnqueueSeq() int64

	// StartMany is Start for many runs that FetchDue returned. It returns the runs that it started, in any
	// order; the others are no longer created, or their kind has been paused.
	StartMany(ctx context.Context, runs []ProcessRun) ([]ProcessRun, error)

	// ApplyDefinitions lets waiting runs start, or wait, as the policies of their kinds say, after these have
	// changed.
	ApplyDefinitions(ctx context.Context) error

	// CompleteMany is Finish for many runs that complete. It returns the runs that are no longer as Start
	// returned them, and leaves them unchanged.
	CompleteMany(ctx context.Context, runs []ProcessRun) (stale []ProcessRun, err error)
}

// DueKind says which due runs of a kind FetchDue returns.
type DueKind struct {
	Name string
	// Limit is the most runs of the kind; 0: any number.
	Limit int
	// PerKey is the most runs with the same concurrency key, and FullKeys are the keys without any; 0: keys
	// do not matter.
	PerKey   int
	FullKeys []string
}

// ErrLeaseLost is the cause of the end of a lease: this node could not write its heartbeat in time, so other
// nodes may start its runs again.
var ErrLeaseLost = errors.New("this node has lost its connection to the others")

// ClusterStore is the store of an engine that several nodes share. A created or requeued run gets a new job
// in the same transaction.
type ClusterStore interface {
	// Start also fails with CodeConflict if the run has changed since it was read, or has to wait.
	WorkStore
	Maintainer

	// Node returns the number of this node. It is never reused.
	Node() int64

	// Lease returns a context that ends with the cause ErrLeaseLost when this node must stop its work,
	// because other nodes will start it again. It fails with CodeUnavailable while this node has no lease.
	Lease() (context.Context, error)

	// LeaseLeft returns how long the lease lasts without a heartbeat, or 0 without one.
	LeaseLeft() time.Duration

	// JobsAdded returns what notifies when a queue has new jobs to start, on whichever node they were added.
	// A notification that is lost is made good within a second.
	JobsAdded(queue string) *Notifier

	// StartJobs starts the runs of the oldest available jobs of a queue for this node, and deletes the jobs.
	// left are the other jobs that it has looked at: their runs may have to wait, or are snoozed, or another
	// transaction changes them. Each needs StartJob. After an error the runs may be started all the same; see
	// StartedRuns.
	StartJobs(ctx context.Context, request JobRequest) (started []ProcessRun, left []WaitingJob, err error)

	// StartJob starts the run of a job for this node, or continues the run if it is snoozed, and deletes the
	// job. ok is false if the run does not start now: it has to wait because its kind is paused or a limit is
	// full, it has another job, or another node is faster.
	StartJob(ctx context.Context, job WaitingJob) (started ProcessRun, ok bool, err error)

	// Snooze gives a started run a job, with which any node may continue it. If its cancellation was
	// requested, the run is cancelled instead. Snooze fails with CodeConflict if the attempt is over.
	Snooze(ctx context.Context, run ProcessRun) error

	// StartedRuns returns the runs that this node has started or continued and not ended, according to the
	// database.
	StartedRuns(ctx context.Context) ([]ProcessRun, error)

	// Rescue ends a started run that this node no longer works on, or whose node is lost: it is requeued, or
	// failed after too many crashes, or cancelled if that was requested. It fails with CodeConflict if
	// another live node works on the run.
	Rescue(ctx context.Context, run ProcessRun) error

	// AnnounceKinds records, for some minutes, that this node works on these kinds and no others.
	AnnounceKinds(ctx context.Context, kinds []string) error

	// ApplyDefinitions lets waiting runs start, or wait, as the policies of their kinds say, after these have
	// changed. It returns when every start that this node decided by the earlier policies is committed or has
	// failed. The runs that may start now do so soon.
	ApplyDefinitions()

	// PausedKinds returns the kinds that are paused, as far as this node knows. It reads no database.
	PausedKinds() []string
}

// Maintainer does the maintenance of a database that several nodes share. The leader does it. When a node is
// lost or joins, there may be no leader for a while, or two, which do no harm.
type Maintainer interface {
	// IsLeader reports whether this node is the leader: it works on runs and has been alive for longer than
	// all other nodes that do. It reads no database.
	IsLeader() bool

	// RescueOrphans rescues the runs whose job has ended or whose node is lost, and gives waiting runs
	// without a job a new one. It returns the number of these runs.
	RescueOrphans(ctx context.Context) (int, error)

	// Prune deletes finished runs that are too old or too many, until none is left or ctx ends. It
	// returns their number.
	Prune(ctx context.Context) (int, error)

	// ScheduleJobs makes jobs available that are due within some seconds. It returns their number.
	ScheduleJobs(ctx context.Context) (int, error)

	// TrimLogs deletes the logs of the runs that finished first, until all logs together are small enough or
	// ctx ends. It returns their number.
	TrimLogs(ctx context.Context) (int, error)
}

// CancelRequest requests cancellation of the attempt with this fencing token. A later attempt has a higher
// token, so the request does not stop it.
type CancelRequest struct {
	Run          int64 `db:"id"`
	FencingToken int64 `db:"fencing_token"`
}

// Outcome is how an attempt ended.
type Outcome struct {
	// Status is Completed, Failed or Cancelled; or Created for another attempt.
	Status Status
	// Error is a sentence for a person, at most MaxError bytes, and empty if completed.
	Error string
	// RetryIn is the delay before the next attempt, with Created only. The clock of the store measures it.
	RetryIn time.Duration
}

// MaxError is the length in bytes to which the error of a run is cut.
const MaxError = 1000
