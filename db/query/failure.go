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

	mostFailures  = `SELECT ` + failureColumns + ` FROM failures WHERE n > 0 ORDER BY n DESC, last_at DESC, id LIMIT ?`
	oneFailure    = `SELECT ` + failureColumns + ` FROM failures WHERE id = ?`
	countFailures = `SELECT COUNT(*) AS failures, coalesce(SUM(n), 0) AS runs FROM failures WHERE n > 0`
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

func (r failure) app() app.Failure {
	return app.Failure{
		ID: r.ID, Kind: r.Kind, Pattern: r.Pattern, Example: r.Example,
		FirstAt: FromMillis(r.FirstAt), LastAt: FromMillis(r.LastAt), Runs: r.N,
	}
}

// Failed is the error of a failed run with its pattern.
type Failed struct{ kind, pattern, text string }

// NewFailed returns the Failed of an error text. It normalizes the text, which takes time: callers should do
// this before they block other writers.
func NewFailed(kind, text string) Failed {
	return Failed{kind: kind, pattern: cmp.Or(app.Pattern(text), "no error text"), text: text}
}

// Find returns the id of the failure group of the error. It creates the group if there are fewer than
// MaxFailures, and otherwise uses the shared group of the kind. It returns 0 if there is neither.
//
// find is called with kind and pattern; add with kind, pattern, example, the time at in milliseconds, whether
// the group must be created regardless of the limit, and the limit. Both set id and report whether they did.
func (f Failed) Find(at int64, find, add func(id *int64, args ...any) (found bool, err error)) (id int64, err error) {
	for _, pattern := range []string{f.pattern, OtherErrors} {
		if found, err := find(&id, f.kind, pattern); err != nil || found {
			return id, err
		}
		if added, err := add(&id, f.kind, pattern, f.text, at, pattern == OtherErrors, MaxFailures); err != nil || added {
			return id, err
		}
	}
	return 0, nil
}

// HourOf returns the number of full hours since 1970.
func HourOf(t time.Time) int64 { return t.UnixMilli() / time.Hour.Milliseconds() }

// Failures implements app.Store.
func (b *Board) Failures(ctx context.Context) (all app.Failures, err error) {
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		var found []failure
		if err := Select(ctx, from, &found, mostFailures, app.MaxFailures); err != nil {
			return err
		}
		ids := make([]int64, len(found))
		all.Failures = make([]app.Failure, len(found))
		at := make(map[int64]int, len(found))
		for i, row := range found {
			ids[i], all.Failures[i], at[row.ID] = row.ID, row.app(), i
		}
		var counts struct{ Failures, Runs int64 }
		if err := Get(ctx, from, &counts, countFailures); err != nil {
			return err
		}
		all.Groups, all.Runs = counts.Failures, counts.Runs
		return b.addHours(ctx, from, ids, func(id int64, hour int, n int64) { all.Failures[at[id]].Hours[hour] = n })
	})
	return all, err
}

// addHours calls tell for each hour in which a failure occurred. hour is an index: the current hour is
// app.FailureHours-1.
func (b *Board) addHours(ctx context.Context, from Reader, failures []int64, tell func(failure int64, hour int, n int64)) error {
	ids, err := JSONArray(failures)
	if err != nil {
		return err
	}
	now := HourOf(b.Now())
	before := now - app.FailureHours
	var found []struct{ Failure, Hour, N int64 }
	text := `SELECT failure, hour, n FROM failure_hours WHERE failure IN ` + b.Numbers + ` AND hour > ? AND hour <= ?`
	if err := Select(ctx, from, &found, text, ids, before, now); err != nil {
		return err
	}
	for _, row := range found {
		tell(row.Failure, int(row.Hour-before-1), row.N)
	}
	return nil
}

// readFailure returns the failure with this id. It returns the zero Failure if id is 0 or unknown.
func (b *Board) readFailure(ctx context.Context, from Reader, id int64) (app.Failure, error) {
	if id == 0 {
		return app.Failure{}, nil
	}
	var row failure
	if found, err := Find(ctx, from, &row, oneFailure, id); err != nil || !found {
		return app.Failure{}, err
	}
	return row.app(), nil
}
