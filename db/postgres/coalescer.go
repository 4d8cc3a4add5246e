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
	// maxBatch is the most updates in one statement. The statement locks all of its runs until it is
	// committed.
	maxBatch = 500
	// linger is how long the first of several requests waits for the others: runs that are started together
	// often end together. Without it, the first of ten updates was a statement of its own. 3 ms made no
	// statement cheaper, and ten workers slower.
	linger = time.Millisecond
)

var errPanicked = errors.New("the caller that executed the batch panicked")

// coalescer batches concurrent updates of one kind into a single statement (leader/follower): while a
// statement is in flight, further requests queue, and the first of them executes the statement for all. There
// is no goroutine. With two statements in flight, each updated half as many runs, and three nodes cost the
// server 15 % more for each run. If the server refuses a batch, each caller repeats its own update alone, so
// that one bad run does not fail the others.
type coalescer struct {
	do func(ctx context.Context, batch []*updateRequest) error // an error is for the whole batch

	mu      sync.Mutex
	waiting []*updateRequest // for the next batch
	leading bool             // a caller executes a batch, or is about to
}

// updateRequest asks for the update of a run that has the expected fencing token.
type updateRequest struct {
	run, expected int64
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
	if c.join(request) {
		query.Pause(ctx, linger)
		c.lead(ctx, c.take())
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

// join queues a request, and reports whether its caller must take and lead the next batch.
func (c *coalescer) join(request *updateRequest) (leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, request)
	leads = !c.leading
	c.leading = true
	return leads
}

// take returns the next batch.
func (c *coalescer) take() []*updateRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.takeLocked()
}

// takeLocked is take for a caller that holds mu.
func (c *coalescer) takeLocked() []*updateRequest {
	n := min(len(c.waiting), maxBatch)
	batch := slices.Clone(c.waiting[:n])
	c.waiting = slices.Delete(c.waiting, 0, n)
	return batch
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
	if len(c.waiting) == 0 {
		c.leading = false
		return
	}
	batch := c.takeLocked()
	batch[0].result <- batchResult{lead: batch}
}
