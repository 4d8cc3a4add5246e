package rows

import (
	"cmp"
	"context"
	"slices"
	"time"

	"runboard/app"
)

const (
	// pruneLook is how many of the oldest runs in a status are looked at, at once, for those that are old enough.
	pruneLook = 500
	// pruneTime is about how long one transaction that drops runs may take: others' writes may wait for it.
	pruneTime = 15 * time.Millisecond
)

// Keep says how long finished runs are kept, and how many of them; 0 is no limit.
type Keep struct {
	Finished time.Duration
	Max      int64
}

// Prune has drop drop finished runs that are too old or too many, until there are none left or ctx ends: small groups
// of them, with a rest in between for as long as each took. drop returns how many of them were still there and finished.
func (b *Board) Prune(ctx context.Context, keep Keep, drop func(ctx context.Context, runs []int64) (int, error)) (dropped int, err error) {
	for size := 10; ctx.Err() == nil; {
		old, err := b.tooMany(ctx, keep.Max)
		if err == nil && len(old) == 0 {
			old, err = b.tooOld(ctx, keep.Finished)
		}
		if err != nil || len(old) == 0 {
			return dropped, err
		}
		for len(old) > 0 && ctx.Err() == nil {
			group := old[:min(size, len(old))]
			old = old[len(group):]
			began := time.Now()
			n, err := drop(ctx, group)
			if err != nil {
				return dropped, err
			}
			dropped += n
			took := time.Since(began)
			size = nextSize(size, took)
			Pause(ctx, took)
		}
	}
	return dropped, nil
}

// nextSize is how many runs to drop at once after so many took so long.
func nextSize(size int, took time.Duration) int {
	if took > pruneTime {
		return max(1, size/2)
	}
	return min(2*size, pruneLook)
}

// Pause returns after some time, or when ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var finished = []app.Status{app.Completed, app.Failed, app.Cancelled}

// tooMany returns some of the oldest finished runs, when there are more than may be kept.
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
		oldest, err := b.oldest(ctx, from)
		slices.SortFunc(oldest, func(a, b oldRun) int { return cmp.Compare(a.ID, b.ID) })
		for _, run := range oldest[:min(over, pruneLook, int64(len(oldest)))] {
			old = append(old, run.ID)
		}
		return err
	})
	return old, err
}

// tooOld returns finished runs that are older than they may be, of those that were created first. A run that was
// tried again long after it was created may hide for a while behind newer ones.
func (b *Board) tooOld(ctx context.Context, age time.Duration) (old []int64, err error) {
	if age == 0 {
		return nil, nil
	}
	since := b.Now().Add(-age).UnixMilli()
	err = b.Read(ctx, func(ctx context.Context, from Reader) error {
		oldest, err := b.oldest(ctx, from)
		for _, run := range oldest {
			if run.FinishedAt < since {
				old = append(old, run.ID)
			}
		}
		return err
	})
	return old, err
}

type oldRun struct {
	ID         int64 `db:"id"`
	FinishedAt int64 `db:"finished_at"`
}

// oldest returns the oldest runs in each status that is final.
func (b *Board) oldest(ctx context.Context, from Reader) (runs []oldRun, err error) {
	for _, status := range finished {
		var some []oldRun
		section := b.inStatus(status)
		if err := Select(ctx, from, &some, section.text("id, finished_at", true), section.With(everywhere, pruneLook)...); err != nil {
			return nil, err
		}
		runs = append(runs, some...)
	}
	return runs, nil
}
