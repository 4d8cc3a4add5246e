package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BulkOperation is what can be done to many runs at once.
type BulkOperation string

// The deeds.
const (
	BulkCancel BulkOperation = "cancel"
	BulkRetry  BulkOperation = "retry"
	BulkDelete BulkOperation = "delete"
)

// Deeds returns every deed.
func BulkOperations() []BulkOperation { return []BulkOperation{BulkCancel, BulkRetry, BulkDelete} }

// ParseDeed returns the deed with exactly this name. It fails with CodeMalformed.
func ParseBulkOperation(name string) (BulkOperation, error) {
	if deed := BulkOperation(name); slices.Contains(BulkOperations(), deed) {
		return deed, nil
	}
	return "", Errorf(CodeMalformed, "operation must be cancel, retry or delete.")
}

// Fits are the statuses of runs that a deed changes; it leaves the others alone.
func (d BulkOperation) AppliesTo() []Status {
	switch d {
	case BulkCancel:
		return []Status{Created, Started}
	case BulkRetry:
		return []Status{Failed, Cancelled}
	case BulkDelete:
		return []Status{Completed, Failed, Cancelled}
	}
	return nil
}

// Kind is the kind of the runs that do it. No other kind of work may be called so.
func (d BulkOperation) Kind() string { return string(d) + " runs" }

// DeedKinds are the kinds of all runs that act on others.
func BulkKinds() (kinds []string) {
	for _, deed := range BulkOperations() {
		kinds = append(kinds, deed.Kind())
	}
	return kinds
}

// Action is a deed with the runs that it is to be done to. A run of its own does it, see Actions.
type BulkAction struct {
	Operation BulkOperation `json:"operation"`
	// IDs are the runs that are meant, at most MaxTicked. When there are none, all are meant that Filter finds,
	// but for those that are actions themselves, unless it asks for their kind.
	IDs    []int64 `json:"ids,omitzero"`
	Filter Filter  `json:"filter"`
	// Within limits the action to the runs of its preview.
	Confirmed Confirmation `json:"within,omitzero"`
}

// Preview is what an operator was shown of an action before confirming it. The zero Preview is none: the action is
// then limited to what it would have shown when the action is created.
type Confirmation struct {
	// Newest is the newest run that there was, or 0.
	Newest int64 `json:"newest,omitzero"`
	// At is when it was shown. A run that came into the right status later is left alone.
	At TimeBound `json:"at,omitzero"`
	// Checked says that the action may change no more than Runs runs, and none that are not among those.
	Checked bool  `json:"checked,omitzero"`
	Runs    int64 `json:"runs,omitzero"`
	// More says that there were more runs, which were not counted: then only which runs they are is checked.
	More bool `json:"more,omitzero"`
}

// MaxTicked is how many runs can be named one by one.
const MaxSelected = 500

// Fixed is the action with its times as they are now, so that it means the same runs for ever.
func (a BulkAction) Resolve(now time.Time) BulkAction {
	a.Filter.Since, a.Filter.Until = a.Filter.Since.resolve(now), a.Filter.Until.resolve(now)
	return a
}

// Unconfirmed is the action without its preview, to be shown anew.
func (a BulkAction) Unconfirmed() BulkAction {
	a.Confirmed = Confirmation{}
	return a
}

// Fits reports whether the action is for a run in the status that it has now: another status than the filter asks for
// must not be changed either, although the action could.
func (a BulkAction) AppliesTo(run ProcessRun) bool {
	if !slices.Contains(a.Operation.AppliesTo(), run.Status) {
		return false
	}
	if len(a.IDs) > 0 {
		return true
	}
	return (!a.Filter.Filtered || run.Status == a.Filter.Status) && (a.Filter.Failure == 0 || run.Failure == a.Filter.Failure)
}

// String says in words which runs are meant.
func (a BulkAction) String() string {
	if len(a.IDs) > 0 {
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
	if a.Filter.Failure > 0 {
		add("with error number ", strconv.FormatInt(a.Filter.Failure, 10))
	}
	return strings.Join(words, ", ")
}

// Prospect is what an action would come to if it were done now.
type BulkPreview struct {
	Runs    int64 `json:"runs"` // that it would change
	Skipped int64 `json:"skipped"`
	// More says that there are more, which were not counted.
	More bool `json:"more"`
	// Preview is what confirms the action: it then changes these runs or none.
	Confirmation Confirmation `json:"-"`
	// Pattern is that of the failure that the filter asks for.
	Pattern string `json:"-"`
	// Entered says that a run would be changed that was not among those of the action's own Preview.
	Entered bool `json:"-"`
}

// TypedAbove is how many runs can be deleted from a page before it asks to type their number.
const TypedAbove = 100

// CountedForAction is up to how many runs of a status are counted beforehand.
const CountedForBulk = 1_000_000

// ActionState is how far a run has come that does an action.
type BulkProgress struct {
	BulkAction
	Preview   BulkPreview // as it was when the run was created
	Done      int64       // runs that it has changed
	Skipped   int64       // runs that were no longer what the action is for
	Finished  bool        // nothing is left to do
	Throttled bool        // nothing can be done just now: too many runs wait
}

// Limit returns how many runs the action may change in all: as many as its preview showed. limited is false if the
// preview did not count all of them.
func (s BulkProgress) Limit() (most int64, limited bool) {
	if s.Confirmed.Checked {
		return s.Confirmed.Runs, !s.Confirmed.More
	}
	return s.Preview.Runs, !s.Preview.More
}

// Actions is what the runs ask that act on many others. Its methods may be called from any goroutine.
type BulkRunner interface {
	// Advance does some more of the action of a started run, in one transaction that also keeps how far it has
	// come: each run is dealt with at most once, whatever crashes in between. It takes some milliseconds at most,
	// because everybody's writes wait for it. It fails with CodeConflict when the run is not started any more, and
	// with CodeNotFound when it has no action.
	StepBulkAction(ctx context.Context, run ProcessRun) (BulkProgress, error)
}
