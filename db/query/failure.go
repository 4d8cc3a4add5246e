package query

import (
	"cmp"
	"context"
	"time"

	"runboard/app"
)

// MaxFailures is how many different failures are kept apart. Beyond it, those of a kind that are new go together.
const MaxFailures = 10_000

// OtherErrors is the pattern of those. It has a sign that no pattern has.
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

// Failed is a run that fails.
type Failed struct{ kind, pattern, text string }

// NewFailed does what takes time, and so is not done while others wait.
func NewFailed(kind, text string) Failed {
	return Failed{kind: kind, pattern: cmp.Or(app.Pattern(text), "no error text"), text: text}
}

// Find looks for the id of what the run has in common with others, or adds what is new, or as one of the others when
// there are too many. find is given a kind and a pattern; add the rest of a failure as well, whether it must be added, and
// how many there may be otherwise.
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

// HourOf is the hour of a time, counted from 1970.
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

// addHours tells how often each of some failures happened in the hours up to now, of which the last is the present one.
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

// readFailure returns what a filter asks for, or nothing when there is none.
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
