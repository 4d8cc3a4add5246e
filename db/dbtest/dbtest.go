// Package dbtest is the one suite that every store must pass. It knows a store only by what the rest
// of the program knows of it, app.Store, app.WorkStore and app.Actions, so that what it holds for one store holds
// for any other. What only a queue of its own asks is in a second suite.
package dbtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"runboard/app"
)

// Store is all faces of what is tested.
type Store interface {
	app.Store
	app.WorkStore
	app.BulkRunner
	TrimLogs(ctx context.Context) (dropped int, err error)
}

// Settings is how the suite wants a store to be opened.
type Settings struct {
	MaxPending  int64 // 0 is no limit
	MaxCrashes  int
	LogLimit    int64                           // in bytes; 0 is the default
	MaxLogBytes int64                           // of all logs together; 0 is no limit
	Searched    int64                           // how many rows of the index are looked at for a page; 0 is the default
	Kinds       []string                        // that somebody works on; nil: do not ask
	StartDelay  func(kind string) time.Duration // nil: none
	Now         func() time.Time
}

// TB is what opening a store needs of a test. A test of properties, which tries hundreds of stores,
// has no more than this.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Subject is a kind of store.
type Subject struct {
	// Open returns a new, empty store and sees to it that it is closed when t ends.
	Open func(t TB, settings Settings) Store
	// Reopen closes the store and opens it again on the same data and with the same settings, so that
	// runs that are started count as interrupted by a crash. It is nil where a store cannot do that.
	Reopen func(t TB, store Store) Store
}

// part is a part of a suite.
type part struct {
	name string
	test func(*testing.T, Subject)
}

// Run tests a kind of store.
func Run(t *testing.T, subject Subject) {
	runParts(t, subject, []part{
		{"Create", testCreate},
		{"Create with a key", testKeys},
		{"Create under a limit", testMaxPending},
		{"Page", testPages},
		{"Page by page", testWalks},
		{"Run", testRun},
		{"Overview", testOverview},
		{"Start, Finish and GiveBack", testChanges},
		{"Fast paths", testFastPaths},
		{"Refused changes", testRefusals},
		{"Cancel and Retry", testWishes},
		{"Delayed starts", testStartDelay},
		{"Actions and Delete", testActions},
		{"Error texts", testErrorTexts},
		{"Failures", testFailures},
		{"Filters", testFilters},
		{"Search", testSearch},
		{"A clock that is set back", testClock},
		{"Log", testLog},
		{"Trimmed logs", testTrimming},
		{"Statistics", testStatistics},
		{"The bell", testBell},
		{"Any order of operations", testProperties},
	})
}

// RunBacklog tests what a store does besides that is a backlog, an app.QueueStore.
func RunBacklog(t *testing.T, subject Subject) {
	runParts(t, subject, []part{
		{"Waiting", testWaiting},
		{"Many at once", testMany},
		{"Returned", testReturned},
		{"Any order of operations", testBacklogProperties},
	})
}

func runParts(t *testing.T, subject Subject, parts []part) {
	t.Helper()
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, subject)
		})
	}
}

// Clock is a clock that stands still until it is told to go on.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at some time to the millisecond, which is what stores keep.
func NewClock() *Clock {
	return &Clock{now: time.Date(2024, 2, 29, 23, 59, 58, 987e6, time.UTC)}
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance puts the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
