package query

import (
	"cmp"
	"context"
	"slices"
	"time"

	"runboard/app"
)

// pruneBatch is how many of the oldest runs in a status one read looks at.
const pruneBatch = 500

// Keep limits the age and the number of finished runs. 0 means no limit.
type Keep struct {
	Finished time.Duration
	Max      int64
}

// DropFunc deletes some of the given runs, or their logs, but at least a part of the first one. It must be
// short, because other writes may wait for it. It returns how many it has deleted, and the rest for the next
// call.
type DropFunc func(ctx context.Context, runs []int64) (dropped int, rest []int64, err error)

// all deletes all of the runs, unless ctx ends. After each call it pauses for as long as the call took.
func (drop DropFunc) all(ctx context.Context, runs []int64) (dropped int, err error) {
	for len(runs) > 0 && ctx.Err() == nil {
		began := time.Now()
		n, rest, err := drop(ctx, runs)
		if err != nil {
			return dropped, err
		}
		dropped += n
		runs = rest
		Pause(ctx, time.Since(began))
	}
	return dropped, nil
}

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Prune calls drop with finished runs that are too old or too many, until none is left or ctx ends. It
// returns the number of dropped runs. drop skips runs that are no longer finished.
func (r *Reader) Prune(ctx context.Context, keep Keep, drop DropFunc) (dropped int, err error) {
	var scanned scannedIDs
	for ctx.Err() == nil {
		runs, err := r.overLimit(ctx, keep.Max)
		if err == nil && len(runs) == 0 {
			runs, err = r.expired(ctx, keep.Finished, &scanned)
		}
		if err != nil || len(runs) == 0 {
			return dropped, err
		}
		n, err := drop.all(ctx, runs)
		dropped += n
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

var finalStatuses = []app.Status{app.Completed, app.Failed, app.Cancelled}

// overLimit returns some of the oldest finished runs if there are more than limit.
func (r *Reader) overLimit(ctx context.Context, limit int64) (runs []int64, err error) {
	if limit == 0 {
		return nil, nil
	}
	err = r.read(ctx, func(s *snapshot) {
		counts := s.counts()
		over := counts[app.Completed] + counts[app.Failed] + counts[app.Cancelled] - limit
		if over <= 0 {
			return
		}
		var oldest []oldRun
		for _, status := range finalStatuses {
			oldest = append(oldest, s.oldest(status, 0)...)
		}
		slices.SortFunc(oldest, func(a, b oldRun) int { return cmp.Compare(a.ID, b.ID) })
		for _, run := range oldest[:min(over, pruneBatch, int64(len(oldest)))] {
			runs = append(runs, run.ID)
		}
	})
	return runs, err
}

// scannedIDs holds, for each status, the id up to which all remaining runs are young enough.
type scannedIDs [app.StatusCount]int64

// expired returns some finished runs that are older than age.
func (r *Reader) expired(
	ctx context.Context, age time.Duration, scanned *scannedIDs,
) (runs []int64, err error) {
	if age == 0 {
		return nil, nil
	}
	before := r.db.Now().Add(-age).UnixMilli()
	for _, status := range finalStatuses {
		for more := true; more; {
			err = r.read(ctx, func(s *snapshot) {
				var some []int64
				some, more = s.nextExpired(status, before, &scanned[status])
				runs = append(runs, some...)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return runs, nil
}

// nextExpired returns those of the next runs in a status that finished before a time. A run that was retried
// long after its creation is younger than its id suggests: if all of these runs are young enough, nextExpired
// moves scanned past them, and more reports that older ones may follow.
func (s *snapshot) nextExpired(status app.Status, before int64, scanned *int64) (expired []int64, more bool) {
	slack, _ := s.skew.slack(s) // while it is not known, expired runs may be found later
	oldest := s.oldest(status, *scanned)
	for _, run := range oldest {
		if run.FinishedAt < before {
			expired = append(expired, run.ID)
		}
	}
	if len(expired) > 0 || len(oldest) < pruneBatch || oldest[pruneBatch-1].CreatedAt >= before+slack {
		return expired, false
	}
	*scanned = oldest[pruneBatch-1].ID
	return nil, true
}

type oldRun struct {
	ID         int64 `db:"id"`
	CreatedAt  int64 `db:"created_at"`
	FinishedAt int64 `db:"finished_at"`
}

// oldest returns the runs in a status with the lowest ids above after, at most pruneBatch.
func (s *snapshot) oldest(status app.Status, after int64) (runs []oldRun) {
	scan := s.dialect.scanStatus(status)
	ids := IDRange{After: after, Before: allIDs.Before}
	s.all(&runs, scan.selectSQL("id, created_at, finished_at", true), scan.Args(ids, pruneBatch)...)
	return runs
}
