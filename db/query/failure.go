package query

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
)

// MaxFailureGroups is the largest number of failure groups that are stored. Beyond it, new errors of a kind
// share one group.
const MaxFailureGroups = 10_000

// OtherErrors is the pattern of the shared groups. It differs from all others: app.Pattern replaces digits.
const OtherErrors = "other errors (more than 10,000 different ones)"

const (
	failureColumns = `id, kind, pattern, example, first_at, last_at, n`

	frequentFailuresSQL = `SELECT ` + failureColumns + ` FROM failures
		WHERE n > 0 ORDER BY n DESC, last_at DESC, id LIMIT ?`
	failureSQL       = `SELECT ` + failureColumns + ` FROM failures WHERE id = ?`
	countFailuresSQL = `SELECT COUNT(*) AS failures, coalesce(SUM(n), 0) AS runs FROM failures WHERE n > 0`
)

// failure is a row of failures.
type failure struct {
	ID      int64  `db:"id"`
	Kind    string `db:"kind"`
	Pattern string `db:"pattern"`
	Example string `db:"example"`
	FirstAt int64  `db:"first_at"`
	LastAt  int64  `db:"last_at"`
	N       int64  `db:"n"`
}

func (f failure) app() app.Failure {
	return app.Failure{
		ID: f.ID, Kind: f.Kind, Pattern: f.Pattern, Example: f.Example,
		FirstAt: FromMillis(f.FirstAt), LastAt: FromMillis(f.LastAt), Runs: f.N,
	}
}

// NewGroup is a failure group to create.
type NewGroup struct {
	Kind, Pattern, Example string
	At                     int64 // when its first run failed, in milliseconds
	// Max is the number of groups from which on the group must not be created; 0 is no limit.
	Max int
}

// FailureGroups is the table of failure groups within a transaction.
type FailureGroups interface {
	// FindGroup returns the id of a group, or 0 if there is none.
	FindGroup(kind, pattern string) (id int64, err error)
	// AddGroup creates a group and returns its id, or 0 if there are too many.
	AddGroup(group NewGroup) (id int64, err error)
}

// FindOrAddGroup returns the id of the failure group of a run that has failed. If there are too many groups
// for a new one, it falls back to the shared group of the kind.
func FindOrAddGroup(groups FailureGroups, failed app.ProcessRun) (id int64, err error) {
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
	id, err = groups.FindGroup(group.Kind, group.Pattern)
	if err != nil || id > 0 {
		return id, err
	}
	return groups.AddGroup(group)
}

// HourOf returns the number of full hours since 1970.
func HourOf(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// Failures implements app.Store.
func (r *Reader) Failures(ctx context.Context) (failures app.Failures, err error) {
	err = r.read(ctx, func(s *snapshot) {
		var found []failure
		s.all(&found, frequentFailuresSQL, app.MaxFailures)
		failures.Failures = make([]app.Failure, len(found))
		for i, row := range found {
			failures.Failures[i] = row.app()
		}
		var counts struct{ Failures, Runs int64 }
		s.get(&counts, countFailuresSQL)
		failures.Groups, failures.Runs = counts.Failures, counts.Runs
		s.addHours(failures.Failures)
	})
	return failures, err
}

// addHours sets how often each failure occurred in each of the last hours. The current hour is the last one.
func (s *snapshot) addHours(failures []app.Failure) {
	ids := make([]int64, len(failures))
	index := make(map[int64]int, len(failures))
	for i, failure := range failures {
		ids[i] = failure.ID
		index[failure.ID] = i
	}
	now := HourOf(s.db.Now())
	before := now - app.FailureHours
	statement := `SELECT failure, hour, n FROM failure_hours
		WHERE failure IN ` + s.dialect.IntArray + ` AND hour > ? AND hour <= ?`
	var found []struct{ Failure, Hour, N int64 }
	s.all(&found, statement, JSONArray(ids), before, now)
	for _, row := range found {
		failures[index[row.Failure]].Hours[row.Hour-before-1] = row.N
	}
}

// failure returns the failure with this id. It returns the zero Failure if id is 0 or unknown.
func (s *snapshot) failure(id int64) app.Failure {
	var row failure
	if id == 0 || !s.get(&row, failureSQL, id) {
		return app.Failure{}
	}
	return row.app()
}
