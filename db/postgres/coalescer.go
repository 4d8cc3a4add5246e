package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"runboard/app"
	"runboard/db/query"
)

const (
	// mostTogether is how many changes are made by one statement at most: it is in the way of whoever wants the same runs.
	mostTogether = 500
	// mostAtOnce is how many statements of a group are on their way at once: few workers would wait for each other, and with
	// more of them each would be for fewer runs.
	mostAtOnce = 2
)

var errPanicked = errors.New("whoever made the change for others panicked")

// group makes changes together that are alike: those that are asked for while others are on their way. A statement for
// many costs little more than one, and nobody waits for company. It has no goroutine: one of those who ask does it for all.
// When the server refuses the statement for many, each caller makes its own change alone: one run that cannot be changed must
// not keep the others from it.
type coalescer struct {
	do func(ctx context.Context, wanted []*updateRequest) error // changes what it can; fails for all

	mu      sync.Mutex
	waiting []*updateRequest // while it is busy
	busy    int              // how many are at it, or have been told to
}

// wanted is the change of a run that must be as expected: in that version, or with that claim.
type updateRequest struct {
	run, expected int64
	job           int64          // which the run must have; 0 is any
	changed       app.ProcessRun // as it is then, or the zero run
	err           error
	turn          chan batchResult // is told what to do next
}

// turn tells a caller what to do: to make changes for many, itself among them, to make its own alone, or else to return.
type batchResult struct {
	lead  []*updateRequest
	alone bool
}

// change returns the run as it then is, or the zero run when it is not as expected.
func (g *coalescer) change(ctx context.Context, mine *updateRequest) (app.ProcessRun, error) {
	mine.turn = make(chan batchResult, 1)
	if todo := g.join(mine); todo != nil {
		g.lead(ctx, todo)
	}
	next := <-mine.turn
	if next.lead != nil {
		g.lead(ctx, next.lead)
		next = <-mine.turn
	}
	if next.alone {
		mine.err = g.do(ctx, []*updateRequest{mine})
	}
	return mine.changed, mine.err
}

// join returns what is to be done, or nil: then whoever asks has to wait.
func (g *coalescer) join(mine *updateRequest) (todo []*updateRequest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.busy < mostAtOnce {
		g.busy++
		return []*updateRequest{mine}
	}
	g.waiting = append(g.waiting, mine)
	return nil
}

// lead makes changes, tells all who wait for them, and has one of those do the next who have asked meanwhile.
func (g *coalescer) lead(ctx context.Context, todo []*updateRequest) {
	err := errPanicked
	defer func() {
		g.handOver()
		alone := len(todo) > 1 && isRefusal(err)
		for _, one := range todo {
			one.err = err
			one.turn <- batchResult{alone: alone}
		}
	}()
	err = g.do(ctx, todo)
}

// pass has the first of those that wait make their changes, if there are any.
func (g *coalescer) handOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), mostTogether)
	if n == 0 {
		g.busy--
		return
	}
	todo := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	todo[0].turn <- batchResult{lead: todo}
}

// changeBy returns a group whose changes are made by this text, see changeRuns.
func (s *Store) coalescerFor(text string) *coalescer {
	return &coalescer{do: func(ctx context.Context, asked []*updateRequest) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime) // for all of them, and not what is left of one's
		defer cancel()
		runs, expected, jobs := make([]int64, len(asked)), make([]int64, len(asked)), make([]int64, len(asked))
		for i, one := range asked {
			runs[i], expected[i], jobs[i] = one.run, one.expected, one.job
		}
		var changed []struct {
			query.Run
			Expected int64 `db:"expected"`
		}
		if err := s.db.SelectContext(ctx, &changed, text, s.options.Now().UnixMilli(), runs, expected, jobs, s.node); err != nil {
			return err
		}
		for _, row := range changed {
			i := slices.IndexFunc(asked, func(one *updateRequest) bool { return one.run == row.ID && one.expected == row.Expected })
			asked[i].changed = row.App() // whoever asks for the same after that is late
		}
		return nil
	}}
}

// change has a run changed together with others, and returns it as it then is. It fails with CodeConflict when nothing was
// changed.
func (s *Store) change(ctx context.Context, by *coalescer, run app.ProcessRun, want *updateRequest, took func(app.ProcessRun) time.Duration) (changed app.ProcessRun, err error) {
	err = s.attempt(ctx, func(ctx context.Context, _ time.Time) (bool, []query.StatsEvent, error) {
		mine := *want // another one for each attempt
		if changed, err = by.change(ctx, &mine); err == nil && changed.ID == 0 {
			err = query.Conflict(run)
		}
		if err != nil {
			return false, nil, err
		}
		return true, []query.StatsEvent{query.NewStatsEvent(changed, took(changed))}, nil
	})
	return changed, err
}
