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

// CrashClient starts runs and remembers what was promised to it.
type CrashClient struct {
	Number, requests int
	Counted          int        // runs that it asked for and must have got, once
	fresh            []int64    // those that were acknowledged since the last check
	open             url.Values // the request that got no answer
}

// PostUntilCut makes one request after the other, the one that was cut off first, until the server is gone.
func (c *CrashClient) PostUntilCut(b *Process) {
	for c.Post(b) == nil {
		time.Sleep(rand.N(10 * time.Millisecond)) // else there is more to be done in the end than there is time
	}
}

func (c *CrashClient) Post(b *Process) error {
	if c.open == nil {
		c.requests++
		c.open = url.Values{
			"count":           {strconv.Itoa(1 + rand.IntN(8))},
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

// Repeat makes the request again that got no answer.
func (c *CrashClient) Repeat(b *Process) {
	b.T.Helper()
	if c.open == nil {
		return
	}
	if err := c.Post(b); err != nil {
		b.T.Fatal(err)
	}
	c.CheckAcknowledged(b)
}

// CheckAcknowledged asks for every run that was acknowledged since it was last called. That none of the
// earlier ones has gone since is seen in the end, by their number.
func (c *CrashClient) CheckAcknowledged(b *Process) {
	b.T.Helper()
	for _, id := range c.fresh {
		var run RunJSON
		if err := b.Get(fmt.Sprint("/process_runs/", id), &run); err != nil || run.ID != id {
			b.T.Errorf("run %d was acknowledged and is gone: %v", id, err)
		}
	}
	c.fresh = nil
}

func NumberIn(t *testing.T, db *sqlx.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}
