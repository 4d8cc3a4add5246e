package harness

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3"
)

// CrashClient creates runs on a server that may crash, and remembers which ones the server acknowledged. It
// repeats an unanswered request with the same idempotency key.
type CrashClient struct {
	Number, requests int        // the number of the client, and of its requests so far
	Counted          int        // runs that must exist, each once
	Kind             string     // of the runs; empty: the only one of the server
	fresh            []int64    // runs acknowledged since the last check
	open             url.Values // the request without an answer, or nil
}

// PostUntilCut makes requests, the unanswered one first, until the server is gone.
func (c *CrashClient) PostUntilCut(b *Process) {
	for c.Post(b) == nil {
		time.Sleep(rand.N(10 * time.Millisecond)) // limits the number of runs, so that they complete in time
	}
}

// Post makes the unanswered request again or, without one, a new request for 1 to 8 runs.
func (c *CrashClient) Post(b *Process) error {
	if c.open == nil {
		c.requests++
		c.open = url.Values{
			"count":           {strconv.Itoa(1 + rand.IntN(8))},
			"kind":            {c.Kind},
			"idempotency_key": {fmt.Sprintf("client-%d-request-%d", c.Number, c.requests)},
		}
	}
	var created ListJSON
	if err := b.Do(http.MethodPost, "/process_runs", c.open.Encode(), &created); err != nil {
		return err
	}
	if count := strconv.Itoa(len(created.ProcessRuns)); count != c.open.Get("count") {
		b.T.Errorf("%s runs were acknowledged instead of %s", count, c.open.Get("count"))
	}
	for _, run := range created.ProcessRuns {
		c.fresh = append(c.fresh, run.ID)
	}
	c.Counted += len(created.ProcessRuns)
	c.open = nil
	return nil
}

// Repeat makes the unanswered request again, if there is one, and checks the acknowledged runs.
func (c *CrashClient) Repeat(b *Process) {
	b.T.Helper()
	if c.open == nil {
		return
	}
	Eventually(b.T, "the unanswered request is answered", func() error { return c.Post(b) })
	c.CheckAcknowledged(b)
}

// CheckAcknowledged checks that the runs acknowledged since the last check exist. It does not ask for earlier
// ones again: at the end, the total number of runs shows whether one is gone.
func (c *CrashClient) CheckAcknowledged(b *Process) {
	b.T.Helper()
	for _, id := range c.fresh {
		// A busy database may answer late: the server then asks to try again.
		Eventually(b.T, fmt.Sprintf("the acknowledged run %d is there", id), func() error {
			var run RunJSON
			err := b.Get(fmt.Sprint("/process_runs/", id), &run)
			if err == nil && run.ID != id {
				err = fmt.Errorf("the run is %+v", run)
			}
			return err
		})
	}
	c.fresh = nil
}

// NumberIn returns the number that a query selects.
func NumberIn(t *testing.T, db *sqlx.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}
