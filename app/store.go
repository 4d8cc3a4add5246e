package app

import (
	"context"
	"errors"
	"time"
)

// Store is what pages and sockets ask of the place where runs are kept. Its methods may be called
// from any goroutine. Besides the errors they name they fail with CodeUnavailable while the
// database cannot serve.
type Store interface {
	// Create writes new runs in one transaction and returns after its commit. A request with a Key
	// that was used before gets the first batch again and writes nothing. It fails with CodeInvalid
	// when the key was used for another request, and with CodeUnavailable when too many runs wait.
	// It does not stop half-way when ctx ends: the runs may then exist although it failed.
	Create(ctx context.Context, request CreateRequest) (Batch, error)

	// Run returns one run and its surroundings. It fails with CodeNotFound.
	Run(ctx context.Context, id int64) (RunPage, error)

	// Marks tells of many runs at once how far they have come, for whoever has read them and wants to know which to
	// read again. Of runs that do not exist it says nothing.
	Revisions(ctx context.Context, runs []int64) (map[int64]Revision, error)

	// Log returns a part of what a run's work wrote. It fails with CodeNotFound.
	Log(ctx context.Context, query LogQuery) (Log, error)

	// Page returns the runs that a query asks for.
	Page(ctx context.Context, query Query) (Page, error)

	// Chosen returns those of some runs that exist, newest first.
	RunsByID(ctx context.Context, ids []int64) ([]ProcessRun, error)

	// Runs returns the newest runs that a filter finds with ids below before, at most limit of them, for whoever goes
	// through all. next is the before of what follows, or 0 when nothing does; it may be more than 0 although nothing
	// does.
	Runs(ctx context.Context, filter Filter, before int64, limit int) (runs []ProcessRun, next int64, err error)

	// Statistics tells how the board is doing. What happened in the last seconds may not be in it, and after a crash
	// nor what happened in the last seconds before.
	Statistics(ctx context.Context) (Statistics, error)

	// Cancel stops a run: one that is created is cancelled at once, for a started run cancellation is requested
	// and is cancelled when its work has returned. Asking again changes nothing. It returns the run as it
	// then is, and fails with CodeNotFound, or with CodeConflict when the run is final.
	Cancel(ctx context.Context, id int64) (ProcessRun, error)

	// Retry takes a run that failed or was cancelled back to created, with all its attempts before it. It
	// returns the run as it then is, and fails with CodeNotFound, with CodeConflict when the run is
	// neither, and with CodeUnavailable when too many runs wait.
	Retry(ctx context.Context, id int64) (ProcessRun, error)

	// Delete drops a final run with all that belongs to it. It fails with CodeNotFound, and with CodeConflict when
	// the run is not final.
	Delete(ctx context.Context, id int64) error

	// Failures returns what failed runs have in common.
	Failures(ctx context.Context) (Failures, error)

	// PreviewBulk tells what an action would come to.
	PreviewBulk(ctx context.Context, action BulkAction) (BulkPreview, error)

	// Act creates a run that does an action, however many others wait: it may be there to get rid of them. The key
	// makes it repeatable, as in CreateRequest, and fails in the same way.
	CreateBulkAction(ctx context.Context, action BulkAction, key string) (ProcessRun, error)

	// Changes is rung after every commit that changed something.
	Changed() *Notifier

	// Ready returns nil when the store can read and write, as far as it knows without trying.
	Ready() error
}

// WorkStore is where it is written down how the work on runs goes. Its methods may be called from any
// goroutine. All changes are conditional: when the run is no longer where the change expects it, they
// fail with CodeConflict and change nothing.
type WorkStore interface {
	// Start takes a run from created to started, renews its claim and returns it as it now is. The
	// change is committed when Start returns: a crash afterwards is counted against the run.
	Start(ctx context.Context, run ProcessRun) (ProcessRun, error)

	// Report writes down what the work of a started run says of itself. It is committed, once, when Report
	// returns without an error. When it fails, the same report may be handed in again before any other of the run.
	SaveProgress(ctx context.Context, run ProcessRun, report ProgressUpdate) error

	// Finish ends the attempt that Start began. The outcome is committed when Finish returns. A run that
	// whose cancellation was requested is cancelled, whatever the outcome.
	Finish(ctx context.Context, run ProcessRun, outcome Outcome) error

	// Requeue takes a run that was interrupted from started to created, as if the attempt had not
	// been. The change is committed when Requeue returns. A run whose cancellation was requested is cancelled
	// instead.
	Requeue(ctx context.Context, run ProcessRun) error

	// CancelRequests returns the started runs whose cancellation is requested.
	CancelRequests(ctx context.Context) ([]CancelRequest, error)

	// Cancelled returns those of the runs with these ids that are cancelled.
	Cancelled(ctx context.Context, ids []int64) ([]CancelledRun, error)

	// Changes is rung after every commit that changed something.
	Changed() *Notifier
}

// QueueStore is what a queue asks that hands out the waiting runs by itself, and that nobody else does.
type QueueStore interface {
	WorkStore

	// Waiting returns the oldest runs of some kinds that are created and due, at most limit of them. How many wait
	// of other kinds makes no difference to what it costs.
	FetchDue(ctx context.Context, kinds []string, limit int) ([]ProcessRun, error)

	// Returned rises whenever runs come back to created: they may be older than those that wait. The rise comes
	// before the ring that announces it. It asks nothing of the database.
	RequeueSeq() int64

	// Arrived rises whenever runs come to wait, new ones as well as those that return. The rise comes before the ring
	// that announces it. It asks nothing of the database.
	EnqueueSeq() int64

	// StartMany is Start for many runs, as Waiting returned them. It returns those that it started, in any order: the
	// others are no longer created.
	StartMany(ctx context.Context, runs []ProcessRun) ([]ProcessRun, error)

	// CompleteMany is Finish for many different runs that complete. It returns those that are no longer as Start returned
	// them, and changes nothing about them.
	CompleteMany(ctx context.Context, runs []ProcessRun) (late []ProcessRun, err error)
}

// ErrLeaseLost is the cause of the end of a lease: this node could not tell the others in time that it is alive, so they may
// start its runs again.
var ErrLeaseLost = errors.New("this node has lost its connection to the others")

// Shared is what an engine asks that several nodes share. It hands out jobs, and a run that comes to wait gets a new one
// in the same transaction, however it comes to that.
type ClusterStore interface {
	// Start also fails with CodeConflict when the run has changed since it was read: it may have another job.
	WorkStore

	// Node returns the number of this node. No other node has it, nor had it before.
	Node() int64

	// Lease returns a context that ends, with the cause ErrLeaseLost, when this node may no longer work on runs: work must
	// be told to stop, because other nodes soon start it again. Lease fails with CodeUnavailable while there is none.
	Lease() (context.Context, error)

	// LeaseLeft returns how long the lease lasts if it is not renewed. It is 0 when there is none.
	LeaseLeft() time.Duration

	// StartJob is Start for a worker that has got a job. It also fails with CodeConflict when the run has another job.
	StartJob(ctx context.Context, run ProcessRun, job int64) (ProcessRun, error)

	// Adopt notes that this node goes on with a started run whose worker has put it aside. It fails with CodeConflict when
	// the run is no longer started by its claim, or has another job.
	Adopt(ctx context.Context, run ProcessRun, job int64) error

	// Assigned returns the run that a job is for, as it now is. It fails with CodeConflict when the job is not that of
	// the run any more, or the run is final, and with CodeNotFound.
	RunForJob(ctx context.Context, run, job int64) (ProcessRun, error)

	// Recover deals with a started run that this node worked on and does not any more, or whose node is lost: it is
	// given back or, when that has happened too often, failed; or cancelled, when its cancellation was requested. It fails
	// with CodeConflict when another node that is alive works on the run.
	Rescue(ctx context.Context, run ProcessRun) error

	// RescueOrphans deals with runs whose job is over or has a node that is lost: those that wait get a new job, those that are
	// started are recovered, unless their own node is alive. It returns how many there were.
	RescueOrphans(ctx context.Context) (int, error)

	// Handed returns the jobs that this node should have in hand, as far as the database knows.
	JobsInHand(ctx context.Context) ([]int64, error)

	// Release deals with a job of Handed that nothing is done for any more: the job waits again or, when it is over, the
	// run that was started by it is recovered.
	Release(ctx context.Context, job int64) error

	// Serve notes, for some minutes, that somebody works on these kinds.
	AnnounceKinds(ctx context.Context, kinds []string) error

	// PruneSome drops finished runs that are too old or too many, with all that belongs to them, until there are none
	// left or ctx ends. It returns how many it dropped.
	PruneSome(ctx context.Context) (int, error)

	// TrimLogs drops the logs of the runs that finished first, until all logs together are as small as they must be or
	// ctx ends. It returns how many it dropped.
	TrimLogs(ctx context.Context) (int, error)
}

// StopRequest asks one attempt of a run to stop. An answer may arrive late, so a worker compares the claim: a later attempt
// of the same run has another one.
type CancelRequest struct {
	Run          int64 `db:"id"`
	FencingToken int64 `db:"fencing_token"`
}

// CancelledRun is a run that is cancelled, in the version that it then has. A worker that has read the run in a later version
// must ignore it: the run has been retried since.
type CancelledRun struct {
	Run     int64 `db:"id"`
	Version int64 `db:"version"`
}

// Outcome is how an attempt ended.
type Outcome struct {
	// Status is Completed, Failed or Cancelled; or Created, which asks for another attempt.
	Status Status
	// Error is a sentence for a person, at most MaxError bytes; empty when completed.
	Error string
	// RetryIn is how long the next attempt waits; only with Created. The store's clock counts it, which may differ from
	// that of the node.
	RetryIn time.Duration
}

// MaxError is the length in bytes to which the error of a run is cut.
const MaxError = 1000
