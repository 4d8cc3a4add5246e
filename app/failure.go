package app

import (
	"slices"
	"time"
)

// Failure is a group of failed runs of one kind whose errors have the same Pattern.
type Failure struct {
	ID      int64  `json:"id"`
	Kind    string `json:"kind"`
	Pattern string `json:"pattern"`
	Example string `json:"example"` // the first such error, unchanged
	Runs    int64  `json:"runs"`    // how many are failed with it now
	// LatestRun is the highest ID of these runs, or 0 if there is none or it has not been read.
	LatestRun int64 `json:"latest_run,omitzero"`
	// FirstAt and LastAt are when a run first and last failed with it, including runs that were retried
	// since.
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	// Hours counts the runs that failed with it in each of the last hours; the last element is the current
	// hour.
	Hours [FailureHours]int64 `json:"hours"`

	Triage
	// Recurrence is the last one, as long as it is news: for RecurrenceShown after it.
	Recurrence Recurrence `json:"-"`
}

// FailureHours is the number of hours in Failure.Hours.
const FailureHours = 24

// Recurrence is the return of a group of failures that had been resolved: its runs had been retried or
// deleted, or nothing had failed with it for ResolvedAfter. The zero Recurrence is none.
type Recurrence struct {
	At         time.Time // of the first failure after the pause
	QuietSince time.Time // of the last failure before it
}

const (
	// ResolvedAfter is how long nothing must fail with a group until it counts as resolved, although runs are
	// still failed with it.
	ResolvedAfter = 24 * time.Hour
	// RecurrenceShown is how long a Recurrence is news.
	RecurrenceShown = 24 * time.Hour
)

// Quiet returns how long nothing had failed with the group.
func (r Recurrence) Quiet() time.Duration { return max(0, r.At.Sub(r.QuietSince)) }

// IsNews reports whether there is a recurrence that pages show.
func (r Recurrence) IsNews(now time.Time) bool {
	return !r.At.IsZero() && now.Sub(r.At) < RecurrenceShown
}

// FailAgain returns the recurrence of a group after another failure, and whether that failure is a return.
// While a recurrence is news, a shorter pause does not replace it: the user who retries the runs to see
// whether they still fail would lose sight of how long all was well.
func (f Failure) FailAgain(at time.Time) (_ Recurrence, returned bool) {
	next := Recurrence{At: at, QuietSince: f.LastAt}
	resolved := f.Runs == 0 || next.Quiet() >= ResolvedAfter
	if !resolved || f.Recurrence.IsNews(at) && next.Quiet() <= f.Recurrence.Quiet() {
		return f.Recurrence, false
	}
	return next, true
}

// FailureSort is an order of failures.
type FailureSort string

// The orders.
const (
	MostRuns   FailureSort = "most"   // the groups with the most runs come first
	LatestRuns FailureSort = "latest" // the groups with the latest failures come first
)

// FailureSorts returns every order. The first one is the default.
func FailureSorts() []FailureSort { return []FailureSort{MostRuns, LatestRuns} }

// ParseFailureSort returns the order with exactly this name, or the default for "". It fails with
// CodeMalformed.
func ParseFailureSort(name string) (FailureSort, error) {
	if name == "" {
		return MostRuns, nil
	}
	if sort := FailureSort(name); slices.Contains(FailureSorts(), sort) {
		return sort, nil
	}
	return "", Errorf(CodeMalformed, "sort must be most or latest.")
}

// Failures are groups of failed runs.
type Failures struct {
	// Failures has at most MaxFailures groups that are not muted, and then as many that are. Both are in
	// the order that was asked for.
	Failures []Failure `json:"failures"`
	FailureTotals
	Muted FailureTotals `json:"muted"` // the muted ones, which are part of the totals
}

// ChangesAt returns when the first of the groups stops being muted, or being news, or the zero time.
func (f Failures) ChangesAt() (first time.Time) {
	for _, failure := range f.Failures {
		ends := []time.Time{failure.MutedUntil}
		if at := failure.Recurrence.At; !at.IsZero() {
			ends = append(ends, at.Add(RecurrenceShown))
		}
		for _, end := range ends {
			if !end.IsZero() && (first.IsZero() || end.Before(first)) {
				first = end
			}
		}
	}
	return first
}

// FailureTotals counts groups and their runs, including those that are not listed.
type FailureTotals struct {
	Groups int64 `json:"groups"`
	Runs   int64 `json:"runs"`
}

// MaxFailures is the largest number of groups that are listed, and of muted ones.
const MaxFailures = 100
