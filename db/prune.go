package db

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
)

const (
	// pruneEvery is how often old runs are looked for.
	pruneEvery = time.Minute
	// pruneLook is how many of the oldest runs in a status are looked at, at once, for those that are old enough.
	pruneLook = 500
	// pruneTime is about how long one transaction may go on dropping runs: everybody else's writes wait for it. Its commit
	// takes as long again or longer, because that is when the index of texts is written.
	pruneTime = 5 * time.Millisecond
)

const (
	oldestRuns = `SELECT id, created_at, finished_at FROM process_runs WHERE status = ? AND id > ? ORDER BY id LIMIT ?`
	dropRun    = `DELETE FROM process_runs WHERE id = ? AND status IN (2, 3, 4) RETURNING status`
	dropEvents = `DELETE FROM run_events WHERE run_id = ?`
)

// Prune drops finished runs that are too old or too many, with all that belongs to them, until ctx ends. It drops them
// in small groups and rests in between for as long as each took.
func (s *Store) Prune(ctx context.Context) {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		n, err := s.pruneAll(ctx)
		if err == nil {
			err = s.pruneFailures(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.options.Log.Error("old runs cannot be dropped", "error", err) // the next minute tries again
		} else if n > 0 {
			s.options.Log.Info("old runs were dropped", "runs", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// pruneAll drops all that is to be dropped at this moment.
func (s *Store) pruneAll(ctx context.Context) (dropped int, err error) {
	var passed passed
	for ctx.Err() == nil {
		old, err := s.tooMany(ctx)
		if err == nil && len(old) == 0 {
			old, err = s.tooOld(ctx, &passed)
		}
		if err != nil || len(old) == 0 {
			return dropped, err
		}
		for len(old) > 0 && ctx.Err() == nil {
			began := time.Now()
			n, left, err := s.drop(ctx, old)
			if err != nil {
				return dropped, err
			}
			dropped, old = dropped+n, left
			pause(ctx, time.Since(began))
		}
	}
	return dropped, nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var finished = []app.Status{app.Completed, app.Failed, app.Cancelled}

// tooMany returns some of the oldest finished runs, when there are more than may be kept.
func (s *Store) tooMany(ctx context.Context) (old []int64, err error) {
	if s.options.KeepMax == 0 {
		return nil, nil
	}
	err = s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) error {
		counts, err := readCounts(ctx, tx)
		if err != nil {
			return err
		}
		over := counts[app.Completed] + counts[app.Failed] + counts[app.Cancelled] - s.options.KeepMax
		if over <= 0 {
			return nil
		}
		var oldest []oldRun
		for _, status := range finished {
			some, err := readOldest(ctx, tx, status, 0)
			if err != nil {
				return err
			}
			oldest = append(oldest, some...)
		}
		slices.SortFunc(oldest, func(a, b oldRun) int { return cmp.Compare(a.ID, b.ID) })
		for _, run := range oldest[:min(over, pruneLook, int64(len(oldest)))] {
			old = append(old, run.ID)
		}
		return nil
	})
	return old, err
}

// passed is up to which run, in each status, all have been found to be young enough.
type passed [app.StatusCount]int64

// tooOld returns finished runs that are older than they may be. Those that were tried again long after they were created
// are younger than their ids look: it goes past them, as far as there can be older ones.
func (s *Store) tooOld(ctx context.Context, passed *passed) (old []int64, err error) {
	if s.options.KeepFinished == 0 {
		return nil, nil
	}
	since := s.options.Now().Add(-s.options.KeepFinished).UnixMilli()
	for _, status := range finished {
		for goOn := true; goOn; {
			var oldest []oldRun
			err := s.read(ctx, func(ctx context.Context, tx *sqlx.Tx) (err error) {
				oldest, err = readOldest(ctx, tx, status, passed[status])
				return err
			})
			if err != nil {
				return nil, err
			}
			some := finishedBefore(since, oldest)
			old = append(old, some...)
			goOn = len(some) == 0 && len(oldest) == pruneLook && oldest[pruneLook-1].CreatedAt < since
			if goOn {
				passed[status] = oldest[pruneLook-1].ID
			}
		}
	}
	return old, nil
}

func finishedBefore(millis int64, runs []oldRun) (ids []int64) {
	for _, run := range runs {
		if run.FinishedAt < millis {
			ids = append(ids, run.ID)
		}
	}
	return ids
}

type oldRun struct {
	ID         int64 `db:"id"`
	CreatedAt  int64 `db:"created_at"`
	FinishedAt int64 `db:"finished_at"`
}

// readOldest returns those runs in a status that were created first, of those after another one.
func readOldest(ctx context.Context, tx *sqlx.Tx, status app.Status, after int64) (runs []oldRun, err error) {
	err = tx.SelectContext(ctx, &runs, oldestRuns, status, after, pruneLook)
	return runs, err
}

// drop has the writer drop those of these runs that are still finished, as many as there is time for in one transaction.
// It returns how many these were, and which runs are left to be dropped by another one.
func (s *Store) drop(ctx context.Context, runs []int64) (dropped int, left []int64, err error) {
	// The results are the writer's until do succeeds: it may begin anew.
	err = s.writer.do(ctx, func(tx *transaction) error {
		dropped, left = 0, runs
		for until := time.Now().Add(pruneTime); len(left) > 0 && time.Now().Before(until); left = left[1:] {
			found, unfinished, err := tx.drop(left[0], until)
			if err != nil || unfinished {
				return err
			}
			if found {
				dropped++
			}
		}
		return nil
	})
	return dropped, left, err
}

// drop drops a run, if it is finished, with its events, its log, and what searches find it by. Of a long log the first
// part goes before it, as much as there is time for: when that is not enough, the run is still there, unfinished is
// true, and it is to be dropped again.
func (tx *transaction) drop(run int64, until time.Time) (found, unfinished bool, err error) {
	var row runRow
	if found, err := tx.find(tx.findRun, &row, run); err != nil || !found || !app.Status(row.Status).Final() {
		return false, false, err
	}
	if short, err := tx.shorten(run, until); err != nil || !short {
		return false, err == nil, err
	}
	var status app.Status
	if found, err = tx.find(tx.dropRun, &status, run); err != nil || !found {
		return false, false, err
	}
	tx.counts[status]--
	tx.changed = true
	if err := tx.exec(tx.dropEvents, run); err != nil {
		return true, false, err
	}
	if err := tx.exec(tx.dropAction, run); err != nil {
		return true, false, err
	}
	if err := tx.unindex(errorRow(run)); err != nil {
		return true, false, err
	}
	return true, false, tx.dropLog(run, math.MaxInt64)
}
