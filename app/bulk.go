package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BulkOperation is the change that a bulk action makes to each run.
type BulkOperation string

// The operations.
const (
	BulkCancel BulkOperation = "cancel"
	BulkRetry  BulkOperation = "retry"
	BulkDelete BulkOperation = "delete"
)

// BulkOperations returns every operation.
func BulkOperations() []BulkOperation { return []BulkOperation{BulkCancel, BulkRetry, BulkDelete} }

// ParseBulkOperation returns the operation with exactly this name. It fails with CodeMalformed.
func ParseBulkOperation(name string) (BulkOperation, error) {
	if operation := BulkOperation(name); slices.Contains(BulkOperations(), operation) {
		return operation, nil
	}
	return "", Errorf(CodeMalformed, "The operation must be cancel, retry or delete.")
}

// AppliesTo returns the statuses in which the operation changes a run. It skips runs in other statuses.
func (o BulkOperation) AppliesTo() []Status {
	switch o {
	case BulkCancel:
		return []Status{Created, Started}
	case BulkRetry:
		return []Status{Failed, Cancelled}
	case BulkDelete:
		return []Status{Completed, Failed, Cancelled}
	}
	return nil
}

// Kind returns the kind of the bulk runs that perform it. No other kind may have this name.
func (o BulkOperation) Kind() string { return string(o) + " runs" }

// BulkKinds returns the kinds of all bulk runs.
func BulkKinds() (kinds []string) {
	for _, operation := range BulkOperations() {
		kinds = append(kinds, operation.Kind())
	}
	return kinds
}

// BulkAction is an operation with the runs that it is for. A bulk run performs it, see BulkRunner.
type BulkAction struct {
	Operation BulkOperation `json:"operation"`
	// IDs are the selected runs, at most MaxSelected, of which Filter may ask for a status. Without IDs, the
	// action is for all runs that Filter matches, except bulk runs, unless Filter asks for their kind.
	IDs    []int64 `json:"ids,omitzero"`
	Filter Filter  `json:"filter"`
	// Confirmed limits the action to the runs of its preview.
	Confirmed Confirmation `json:"within,omitzero"`
	// Undo is a bulk run whose cancellations a retry undoes, or 0. The retry changes only runs that this one
	// cancelled before they were started, and that have not changed since. IDs are its candidates.
	Undo int64 `json:"undo,omitzero"`
	// Run is the bulk run that performs the action. Only stores use it.
	Run int64 `json:"-"`
}

// Note returns the note of the event of a change by the action, given the note of the same change by hand.
// That of a cancellation names the bulk run, so that it can be undone.
func (a BulkAction) Note(note string) string {
	if a.Operation == BulkCancel && note == NoteCancelled && a.Run > 0 {
		return NoteCancelledBy(a.Run)
	}
	return note
}

// NoteCancelledBy returns the note of the event of a run that a bulk run cancelled before it was started.
func NoteCancelledBy(bulkRun int64) string {
	return fmt.Sprintf("%s, by run #%d", NoteCancelled, bulkRun)
}

// MaxUndone is the largest number of changed runs of a bulk action that can be undone.
const MaxUndone = 10_000

// Confirmation identifies the preview that the user confirmed. The zero Confirmation confirms none: the
// action is then limited to the runs that match when it is created.
type Confirmation struct {
	// Newest is the highest id that existed, or 0.
	Newest int64 `json:"newest,omitzero"`
	// At is the time of the preview. Runs that entered a matching status later are skipped.
	At TimeBound `json:"at,omitzero"`
	// Checked says that the action may change at most Runs runs, and only those of the preview.
	Checked bool  `json:"checked,omitzero"`
	Runs    int64 `json:"runs,omitzero"`
	// More says that there were more runs, which were not counted. Then their number is not checked.
	More bool `json:"more,omitzero"`
}

// MaxSelected is the largest number of BulkAction.IDs.
const MaxSelected = 500

// Resolve returns the action with absolute times, so that it always means the same runs.
func (a BulkAction) Resolve(now time.Time) BulkAction {
	a.Filter.Since, a.Filter.Until = a.Filter.Since.resolve(now), a.Filter.Until.resolve(now)
	return a
}

// Unconfirmed returns the action without its confirmation, for a new preview.
func (a BulkAction) Unconfirmed() BulkAction {
	a.Confirmed = Confirmation{}
	return a
}

// AppliesTo reports whether the action changes a run in its current status. A run whose status no longer
// matches the filter is skipped, even if the operation could change it.
func (a BulkAction) AppliesTo(run ProcessRun) bool {
	if !slices.Contains(a.Operation.AppliesTo(), run.Status) {
		return false
	}
	f := a.Filter
	if len(a.IDs) > 0 {
		return !f.Filtered || run.Status == f.Status
	}
	return (!f.Filtered || run.Status == f.Status) && (f.Failure == 0 || run.Failure == f.Failure)
}

// String describes the runs in words.
func (a BulkAction) String() string {
	switch {
	case a.Undo > 0:
		return fmt.Sprintf("the runs that run #%d cancelled", a.Undo)
	case len(a.IDs) > 0:
		return "the selected runs"
	}
	runs := "all runs"
	if a.Filter.Filtered {
		runs = "all " + a.Filter.Status.String() + " runs"
	}
	if a.Filter.Kind != "" {
		runs += " of kind " + a.Filter.Kind
	}
	words := []string{runs}
	add := func(before, word string) {
		if word != "" {
			words = append(words, before+word)
		}
	}
	add("created since ", a.Filter.Since.String())
	add("created before ", a.Filter.Until.String())
	if a.Filter.Text != "" {
		add("containing ", "“"+a.Filter.Text+"”")
	}
	for _, match := range a.Filter.Inputs.Matches() {
		add("with ", match.Name+"="+match.Value)
	}
	if a.Filter.Failure > 0 {
		add("with error number ", strconv.FormatInt(a.Filter.Failure, 10))
	}
	return strings.Join(words, ", ")
}

// BulkPreview has the number of runs that an action would change now.
type BulkPreview struct {
	Runs    int64 `json:"runs"` // runs that the action would change
	Skipped int64 `json:"skipped"`
	// More says that there are more runs, which were not counted.
	More bool `json:"more"`
	// Confirmation confirms the action: it then changes these runs or none.
	Confirmation Confirmation `json:"-"`
	// Pattern is that of the filter's Failure.
	Pattern string `json:"-"`
	// Entered says that the action would change a run that its Confirmed preview did not show.
	Entered bool `json:"-"`
}

// TypedAbove is the largest number of runs that a page deletes without asking the user to type the number.
const TypedAbove = 100

// CountedForBulk is the largest number of runs of a status that a preview counts.
const CountedForBulk = 1_000_000

// BulkProgress is the progress of a bulk run.
type BulkProgress struct {
	BulkAction
	Preview   BulkPreview // when the run was created
	Done      int64       // changed runs
	Skipped   int64       // runs that the action no longer applied to
	Finished  bool        // all runs are handled
	Throttled bool        // no more runs can be retried now: too many are waiting
}

// Limit returns the most runs that the action may change: the number of its preview. limited is false if the
// preview did not count all of them.
func (p BulkProgress) Limit() (most int64, limited bool) {
	if p.Confirmed.Checked {
		return p.Confirmed.Runs, !p.Confirmed.More
	}
	return p.Preview.Runs, !p.Preview.More
}

// BulkRunner is the part of a store that bulk runs use. Its methods may be called from any goroutine.
type BulkRunner interface {
	// StepBulkAction performs the next part of the action of a started bulk run, in one transaction that also
	// saves the progress: each run is handled at most once, even after crashes. It takes some milliseconds at
	// most, because other writes wait for it. It fails with CodeConflict if the bulk run is no longer
	// started, and with CodeNotFound if it has no action.
	StepBulkAction(ctx context.Context, run ProcessRun) (BulkProgress, error)
}
