package query

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
)

// MaxFailures is the largest number of failure groups. Beyond it, new errors of a kind share one group.
const MaxFailures = 10_000

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

// Failed is the error of a failed run with its pattern.
type Failed struct{ kind, pattern, text string }

// NewFailed returns the Failed of an error text. It normalizes the text, which takes time: callers should do
// this before they block other writers.
func NewFailed(kind, text string) Failed {
	return Failed{kind: kind, pattern: cmp.Or(app.Pattern(text), "no error text"), text: text}
}

// FindOrCreate returns the id of the failure group of the error. at is the time of the failure in
// milliseconds. If there are too many groups for a new one, it falls back to the shared group of the kind.
func (f Failed) FindOrCreate(groups FailureGroups, at int64) (id int64, err error) {
	group := NewGroup{Kind: f.kind, Pattern: f.pattern, Example: f.text, At: at, Max: MaxFailures}
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
	err = r.db.Read(ctx, func(ctx context.Context, q Queryer) error {
		var found []failure
		if err := Select(ctx, q, &found, frequentFailuresSQL, app.MaxFailures); err != nil {
			return err
		}
		failures.Failures = make([]app.Failure, len(found))
		for i, row := range found {
			failures.Failures[i] = row.app()
		}
		var counts struct{ Failures, Runs int64 }
		if err := Get(ctx, q, &counts, countFailuresSQL); err != nil {
			return err
		}
		failures.Groups, failures.Runs = counts.Failures, counts.Runs
		return r.addHours(ctx, q, failures.Failures)
	})
	return failures, err
}

// addHours sets how often each failure occurred in each of the last hours. The current hour is the last one.
func (r *Reader) addHours(ctx context.Context, q Queryer, failures []app.Failure) error {
	ids := make([]int64, len(failures))
	index := make(map[int64]int, len(failures))
	for i, failure := range failures {
		ids[i] = failure.ID
		index[failure.ID] = i
	}
	array, err := JSONArray(ids)
	if err != nil {
		return err
	}
	now := HourOf(r.db.Now())
	before := now - app.FailureHours
	var found []struct{ Failure, Hour, N int64 }
	statement := `SELECT failure, hour, n FROM failure_hours
		WHERE failure IN ` + r.dialect.IntArray + ` AND hour > ? AND hour <= ?`
	if err := Select(ctx, q, &found, statement, array, before, now); err != nil {
		return err
	}
	for _, row := range found {
		failures[index[row.Failure]].Hours[row.Hour-before-1] = row.N
	}
	return nil
}

// readFailure returns the failure with this id. It returns the zero Failure if id is 0 or unknown.
func (r *Reader) readFailure(ctx context.Context, q Queryer, id int64) (app.Failure, error) {
	if id == 0 {
		return app.Failure{}, nil
	}
	var row failure
	if found, err := Find(ctx, q, &row, failureSQL, id); err != nil || !found {
		return app.Failure{}, err
	}
	return row.app(), nil
}
