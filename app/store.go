package app

import (
	"context"
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
	Create(ctx context.Context, request NewRuns) (Batch, error)

	// Run returns one run and its surroundings. It fails with CodeNotFound.
	Run(ctx context.Context, id int64) (RunPage, error)

	// Page returns the runs that a query asks for.
	Page(ctx context.Context, query Query) (Page, error)

	// Changes is rung after every commit that changed something.
	Changes() *Bell

	// Ready returns nil when the store can read and write, as far as it knows without trying.
	Ready() error
}

// Backlog is what a queue asks of the place where runs are kept. Its methods may be called from any
// goroutine. All changes are conditional: when the run is no longer where the change expects it, they
// fail with CodeConflict and change nothing.
type Backlog interface {
	// Waiting returns the oldest runs that are created and due, at most limit of them.
	Waiting(ctx context.Context, limit int) ([]ProcessRun, error)

	// Start takes a run from created to started, renews its claim and returns it as it now is. The
	// change is committed when Start returns: a crash afterwards is counted against the run.
	Start(ctx context.Context, run ProcessRun) (ProcessRun, error)

	// Finish ends the attempt that Start began. The outcome is committed when Finish returns.
	Finish(ctx context.Context, run ProcessRun, outcome Outcome) error

	// GiveBack takes a run that was interrupted from started to created, as if the attempt had not
	// been. The change is committed when GiveBack returns.
	GiveBack(ctx context.Context, run ProcessRun) error

	// Changes is rung after every commit that changed something.
	Changes() *Bell
}

// Outcome is how an attempt ended.
type Outcome struct {
	// Status is Completed, Failed or Cancelled; or Created, which asks for another attempt.
	Status Status
	// Error is a sentence for a person, at most MaxError bytes; empty when completed.
	Error string
	// RetryAt is when the next attempt may start; only with Created.
	RetryAt time.Time
}

// MaxError is the length in bytes to which the error of a run is cut.
const MaxError = 1000
