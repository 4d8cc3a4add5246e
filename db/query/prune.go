package query

import (
	"cmp"
	"context"
	"slices"
	"time"

	"runboard/app"
)

// pruneLook is how many of the oldest runs in a status one read checks for their age.
const pruneLook = 500

// Keep limits the age and the number of finished runs. 0 means no limit.
type Keep struct {
	Finished time.Duration
	Max      int64
}

// Prune calls drop with finished runs that are too old or too many, until none is left or ctx ends. It
// returns the number of dropped runs. After each call it pauses for as long as the call took.
//
// drop deletes some of the given runs that are still finished, or at least a part of the first one. It must
// be short, because other writes may wait for it. It returns how many runs it dropped, and the rest for the
// next call.
func (b *Board) Prune(ctx context.Context, keep Keep, drop func(ctx context.Context, runs []int64) (dropped int, left []int64, err error)) (dropped int, err error) {
	var passed passed
	for ctx.Err() == nil {
		old, err := b.tooMany(ctx, keep.Max)
		if err == nil && len(old) == 0 {
			old, err = b.tooOld(ctx, keep.Finished, &passed)
		}
		if err != nil || len(old) == 0 {
			return dropped, err
		}
		for len(old) > 0 && ctx.Err() == nil {
			began := time.Now()
			n, left, err := drop(ctx, old)
			if err != nil {
				return dropped, err
			}
			dropped, old = dropped+n, left
			Pause(ctx, time.Since(began))
		}
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

var finished = []app.Status{app.Completed, app.Failed, app.Cancelled}

// tooMany returns some of the oldest finished runs if there are more than most.
func (b *Board) tooMany(ctx context.Context, most int64) (old []int64, err error) {
	if most == 0 {
		return nil, nil
	}
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		counts, err := ReadCounts(ctx, from)
		if err != nil {
			return err
		}
		over := counts[app.Completed] + counts[app.Failed] + counts[app.Cancelled] - most
		if over <= 0 {
			return nil
		}
		var oldest []oldRun
		for _, status := range finished {
			some, err := b.oldest(ctx, from, status, 0)
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

// passed holds, for each status, the id up to which all remaining runs are young enough.
type passed [app.StatusCount]int64

// tooOld returns some finished runs that are older than age. A run that was retried long after its creation
// is younger than its id suggests: tooOld skips such runs, as far as older ones may follow.
func (b *Board) tooOld(ctx context.Context, age time.Duration, passed *passed) (old []int64, err error) {
	if age == 0 {
		return nil, nil
	}
	since := b.Now().Add(-age).UnixMilli()
	for _, status := range finished {
		for goOn := true; goOn; {
			var oldest []oldRun
			var slack int64
			err := b.Read(ctx, func(ctx context.Context, from Reader) (err error) {
				if slack, _, err = b.Clock.slack(ctx, from); err == nil {
					oldest, err = b.oldest(ctx, from, status, passed[status])
				}
				return err
			})
			if err != nil {
				return nil, err
			}
			some := finishedBefore(since, oldest)
			old = append(old, some...)
			goOn = len(some) == 0 && len(oldest) == pruneLook && oldest[pruneLook-1].CreatedAt < since+slack
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

// oldest returns the runs in a status with the lowest ids above after, at most pruneLook.
func (b *Board) oldest(ctx context.Context, from Reader, status app.Status, after int64) (runs []oldRun, err error) {
	section, span := b.inStatus(status), everywhere
	span.After = after
	err = Select(ctx, from, &runs, section.text("id, created_at, finished_at", true), section.With(span, pruneLook)...)
	return runs, err
}
