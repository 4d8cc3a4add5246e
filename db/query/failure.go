package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"runboard/app"
)

// MaxFailureGroups is the largest number of failure groups that are stored. Beyond it, new errors of a kind
// share one group.
const MaxFailureGroups = 10_000

// OtherErrors is the pattern of the shared groups. It differs from all others: app.Pattern replaces digits.
const OtherErrors = "other errors (more than 10,000 different ones)"

// Failure groups without runs are kept, so that their notes are there and their pauses are known when they
// return.
const (
	// keepFailure is how long a group without runs and note is kept after its last failure.
	keepFailure = 90 * 24 * time.Hour
	// keepCrowded is the same while there are more than crowdedFailures groups, so that there is room for new
	// ones.
	keepCrowded     = app.FailureHours * time.Hour
	crowdedFailures = MaxFailureGroups / 2
)

// FailuresExpireBefore returns the time before which a group must have failed last to be deleted. groups is
// the number of all groups.
func FailuresExpireBefore(groups int64, now time.Time) time.Time {
	if groups > crowdedFailures {
		return now.Add(-keepCrowded)
	}
	return now.Add(-keepFailure)
}

// NoFailure returns the error for a failure group that does not exist, with CodeNotFound.
func NoFailure(id int64) error {
	return app.Errorf(app.CodeNotFound, "There is no error number %d. It may have been deleted.", id)
}

const (
	failureColumns = `id, kind, pattern, example, first_at, last_at, n,
		note, muted_until, again_at, quiet_since`

	failureSQL = `SELECT ` + failureColumns + ` FROM failures WHERE id = ?`

	// The conditions for the groups of pages. Their argument is the current time. The first part of mutedNow
	// is that of the index.
	unmutedNow = `n > 0 AND muted_until <= ?`
	mutedNow   = `n > 0 AND muted_until > 0 AND muted_until > ?`
)

// failureOrders are the ORDER BY clauses of failures.
var failureOrders = map[app.FailureSort]string{
	app.MostRuns:   "n DESC, last_at DESC, id",
	app.LatestRuns: "last_at DESC, n DESC, id",
}

// failure is a row of failures.
type failure struct {
	ID         int64  `db:"id"`
	Kind       string `db:"kind"`
	Pattern    string `db:"pattern"`
	Example    string `db:"example"`
	FirstAt    int64  `db:"first_at"`
	Note       string `db:"note"`
	MutedUntil int64  `db:"muted_until"`
	failureState
}

// failureState is what changes with each failure.
type failureState struct {
	LastAt     int64 `db:"last_at"`
	N          int64 `db:"n"`
	AgainAt    int64 `db:"again_at"`
	QuietSince int64 `db:"quiet_since"`
}

func (s failureState) recurrence() app.Recurrence {
	return app.Recurrence{At: FromMillis(s.AgainAt), QuietSince: FromMillis(s.QuietSince)}
}

// app returns the row as a group without what is over: a mute, and a recurrence that is no longer news.
func (f failure) app(now time.Time) app.Failure {
	group := app.Failure{
		ID: f.ID, Kind: f.Kind, Pattern: f.Pattern, Example: f.Example,
		FirstAt: FromMillis(f.FirstAt), LastAt: FromMillis(f.LastAt), Runs: f.N,
		Triage: app.Triage{Note: f.Note},
	}
	if f.MutedUntil > Millis(now) {
		group.MutedUntil = FromMillis(f.MutedUntil)
	}
	if recurrence := f.recurrence(); recurrence.IsNews(now) {
		group.Recurrence = recurrence
	}
	return group
}

// NewGroup is a failure group to create.
type NewGroup struct {
	Kind, Pattern, Example string
	At                     int64 // when its first run failed, in milliseconds
	// Max is the number of groups from which on the group must not be created; 0 is no limit.
	Max int
}

// Group is a failure group as FindGroup found it. Its ID is 0 if there is none.
type Group struct {
	ID int64 `db:"id"`
	failureState
}

// FailureGroups is the table of failure groups within a transaction.
type FailureGroups interface {
	// FindGroup returns a group, or the zero Group if there is none.
	FindGroup(kind, pattern string) (Group, error)
	// AddGroup creates a group and returns its id, or 0 if there are too many.
	AddGroup(group NewGroup) (id int64, err error)
	// SaveRecurrence saves the last recurrence of a group.
	SaveRecurrence(id int64, recurrence app.Recurrence) error
}

// FailRun returns the id of the failure group of a run that has failed, and records it if the group returns.
// If there are too many groups for a new one, it falls back to the shared group of the kind. The caller saves
// the run in the same transaction, which counts it.
func FailRun(groups FailureGroups, failed app.ProcessRun) (id int64, err error) {
	group := NewGroup{
		Kind: failed.Kind, Pattern: cmp.Or(app.Pattern(failed.Error), "no error text"), Example: failed.Error,
		At: Millis(failed.FinishedAt), Max: MaxFailureGroups,
	}
	id, err = findOrAdd(groups, group)
	if err != nil || id > 0 {
		return id, err
	}
	group.Pattern, group.Max = OtherErrors, 0
	return findOrAdd(groups, group)
}

func findOrAdd(groups FailureGroups, group NewGroup) (id int64, err error) {
	found, err := groups.FindGroup(group.Kind, group.Pattern)
	if err != nil {
		return 0, err
	}
	if found.ID == 0 {
		return groups.AddGroup(group)
	}
	before := app.Failure{
		Runs: found.N, LastAt: FromMillis(found.LastAt), Recurrence: found.recurrence(),
	}
	if recurrence, returned := before.FailAgain(FromMillis(group.At)); returned {
		err = groups.SaveRecurrence(found.ID, recurrence)
	}
	return found.ID, err
}

// HourOf returns the number of full hours since 1970.
func HourOf(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// Failures implements app.Store.
func (r *Reader) Failures(ctx context.Context, sort app.FailureSort) (failures app.Failures, err error) {
	order, known := failureOrders[sort]
	if !known {
		return failures, fmt.Errorf("there is no order of failures %q", sort)
	}
	err = r.read(ctx, func(s *snapshot) {
		now := s.db.Now()
		unmuted, muted := s.failures(unmutedNow, order, now), s.failures(mutedNow, order, now)
		failures.Failures = append(unmuted, muted...)
		failures.Muted = s.failureTotals(mutedNow, now)
		failures.FailureTotals = s.failureTotals(unmutedNow, now)
		failures.Groups += failures.Muted.Groups
		failures.Runs += failures.Muted.Runs
		s.addHours(failures.Failures, now)
		s.addLatestRuns(failures.Failures)
	})
	return failures, err
}

// Failure implements app.Store.
func (r *Reader) Failure(ctx context.Context, id int64) (failure app.Failure, err error) {
	err = r.read(ctx, func(s *snapshot) {
		failure = s.failure(id)
		if failure.ID == 0 {
			s.fail(NoFailure(id))
			return
		}
		one := []app.Failure{failure}
		s.addHours(one, s.db.Now())
		s.addLatestRuns(one)
		failure = one[0]
	})
	return failure, err
}

// failures returns the first groups of an order that match a condition.
func (s *snapshot) failures(where, order string, now time.Time) []app.Failure {
	statement := "SELECT " + failureColumns + " FROM failures WHERE " + where +
		" ORDER BY " + order + " LIMIT ?"
	var found []failure
	s.all(&found, statement, Millis(now), app.MaxFailures)
	groups := make([]app.Failure, len(found))
	for i, row := range found {
		groups[i] = row.app(now)
	}
	return groups
}

// failureTotals counts the groups that match a condition, and their runs.
func (s *snapshot) failureTotals(where string, now time.Time) app.FailureTotals {
	var totals struct{ Failures, Runs int64 }
	statement := "SELECT COUNT(*) AS failures, coalesce(SUM(n), 0) AS runs FROM failures WHERE " + where
	s.get(&totals, statement, Millis(now))
	return app.FailureTotals{Groups: totals.Failures, Runs: totals.Runs}
}

// addHours sets how often each failure occurred in each of the last hours. The current hour is the last one.
func (s *snapshot) addHours(failures []app.Failure, now time.Time) {
	index := make(map[int64]int, len(failures))
	for i, failure := range failures {
		index[failure.ID] = i
	}
	last := HourOf(now)
	before := last - app.FailureHours
	statement := `SELECT failure, hour, n FROM failure_hours
		WHERE failure IN ` + s.dialect.IntArray + ` AND hour > ? AND hour <= ?`
	var found []struct{ Failure, Hour, N int64 }
	s.all(&found, statement, JSONArray(failureIDs(failures)), before, last)
	for _, row := range found {
		failures[index[row.Failure]].Hours[row.Hour-before-1] = row.N
	}
}

// latestRunsSQL returns the query for the newest run of each failure group, in their order. It probes the
// index by failure. Its argument is the JSONArray of the groups.
func (d Dialect) latestRunsSQL() string {
	return "WITH wanted (id) AS " + d.IntArray + " SELECT coalesce((SELECT " + d.SortKey + " FROM " +
		d.runsBy("process_runs_by_failure") + " WHERE failure > 0 AND failure = wanted.id ORDER BY " +
		d.SortKey + " DESC LIMIT 1), 0) AS run FROM wanted"
}

// addLatestRuns sets the newest run of each group.
func (s *snapshot) addLatestRuns(failures []app.Failure) {
	var runs []int64
	s.all(&runs, s.dialect.latestRunsSQL(), JSONArray(failureIDs(failures)))
	if len(runs) != len(failures) {
		return // the query has failed
	}
	for i := range failures {
		failures[i].LatestRun = runs[i]
	}
}

func failureIDs(failures []app.Failure) []int64 {
	ids := make([]int64, len(failures))
	for i, failure := range failures {
		ids[i] = failure.ID
	}
	return ids
}

// failure returns the failure with this id, without its hours and its latest run. It returns the zero Failure
// if id is 0 or unknown.
func (s *snapshot) failure(id int64) app.Failure {
	var row failure
	if id == 0 || !s.get(&row, failureSQL, id) {
		return app.Failure{}
	}
	return row.app(s.db.Now())
}

// triages returns what users have said about the failures of runs, by failure.
func (s *snapshot) triages(runs []app.ProcessRun) map[int64]app.Triage {
	var ids []int64
	for _, run := range runs {
		if run.Failure > 0 && !slices.Contains(ids, run.Failure) {
			ids = append(ids, run.Failure)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var found []failure
	s.all(&found, "SELECT "+failureColumns+" FROM failures WHERE id IN "+s.dialect.IntArray, JSONArray(ids))
	triages := make(map[int64]app.Triage, len(found))
	for _, row := range found {
		triages[row.ID] = row.app(s.db.Now()).Triage
	}
	return triages
}
