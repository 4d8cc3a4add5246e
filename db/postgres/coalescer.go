package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"

	"runboard/app"
)

const (
	// maxBatch is the most updates in one statement. The statement locks all of its runs until it is
	// committed.
	maxBatch = 500
	// maxStatements is the most statements in flight. With one, a few workers wait for each other; with more
	// than two, each statement updates fewer runs.
	maxStatements = 2
)

var errPanicked = errors.New("the caller that executed the batch panicked")

// coalescer batches concurrent updates of one kind into a single statement (leader/follower): while
// statements are in flight, further requests queue, and the first of them executes the statement for all. No
// request waits for a batch to fill, and there is no goroutine. If the server refuses a batch, each caller
// repeats its own update alone, so that one bad run does not fail the others.
type coalescer struct {
	do func(ctx context.Context, batch []*updateRequest) error // an error is for the whole batch

	mu      sync.Mutex
	waiting []*updateRequest // queued while maxStatements are in flight
	leaders int              // callers that execute a statement, or have been told to
}

// updateRequest asks for the update of a run that has the expected version or fencing token.
type updateRequest struct {
	run, expected int64
	job           int64          // the job that the run must have; 0 matches any
	changed       app.ProcessRun // the updated run; the zero run if it did not match
	err           error
	result        chan batchResult
}

// batchResult tells a waiting caller what to do: execute the batch lead, which includes its own request;
// repeat its own update alone; or, if zero, return.
type batchResult struct {
	lead  []*updateRequest
	alone bool
}

// change returns the updated run, or the zero run if the run did not match.
func (c *coalescer) change(ctx context.Context, request *updateRequest) (app.ProcessRun, error) {
	request.result = make(chan batchResult, 1)
	if batch := c.join(request); batch != nil {
		c.lead(ctx, batch)
	}
	next := <-request.result
	if next.lead != nil {
		c.lead(ctx, next.lead)
		next = <-request.result
	}
	if next.alone {
		request.err = c.do(ctx, []*updateRequest{request})
	}
	return request.changed, request.err
}

// join returns the batch to execute now, or nil if the request was queued.
func (c *coalescer) join(request *updateRequest) (batch []*updateRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaders < maxStatements {
		c.leaders++
		return []*updateRequest{request}
	}
	c.waiting = append(c.waiting, request)
	return nil
}

// lead executes a batch, hands the next batch to one of its callers, and sends each caller of this batch the
// result.
func (c *coalescer) lead(ctx context.Context, batch []*updateRequest) {
	err := errPanicked
	defer func() {
		c.handOver()
		alone := len(batch) > 1 && isRefusal(err)
		for _, request := range batch {
			request.err = err
			request.result <- batchResult{alone: alone}
		}
	}()
	err = c.do(ctx, batch)
}

// handOver makes the first waiting caller the leader of the next batch, if any is waiting.
func (c *coalescer) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxBatch)
	if n == 0 {
		c.leaders--
		return
	}
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	batch[0].result <- batchResult{lead: batch}
}
