// Package jobs executes runs. A queue fetches due runs from its store, oldest first, hands them to
// workers over a channel, and saves the result of each attempt.
//
// The rows are the queue; the channel holds only runs that idle workers can start at once. So a million
// queued runs cost no memory, and a crash loses only the work in progress.
package jobs

import (
	"context"

	"runboard/app"
)

// Work does the work of a run. It returns nil when the run has completed, or an error whose text users
// read on the page; see also Permanent and RetryAfter. It is called again after an error while attempts
// are left, and after a crash or a shutdown, so it must be safe to repeat. It should return soon after
// ctx ends: because the run was cancelled (context.Cause is ErrCancelled), took too long (ErrTimeout), or
// because the server stops (ErrShutdown).
type Work func(ctx context.Context, run *Run) error

// Kind is a named kind of run and the work that it does.
type Kind struct {
	Name string // at most app.MaxKind bytes of text
	Work Work
	// Info is what people read about the kind, its inputs and its policies. Its Name is ignored. The zero
	// Info has no inputs and the policies of the board.
	Info app.Kind
	// Command describes the command that Work executes; nil if it executes none.
	Command CommandDescriber
	// Err is why the function that made the kind has failed; NewRegistry returns it.
	Err error
}

// CommandDescriber says what a run would execute.
type CommandDescriber interface {
	// Describe returns the command with the values of the inputs in their places.
	Describe(values app.InputValues) app.CommandPreview
}
