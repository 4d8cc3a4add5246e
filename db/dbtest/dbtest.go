// Package dbtest is the test suite that every store must pass. It uses only the interfaces app.Store,
// app.WorkStore and app.BulkRunner, and the trimming of logs, so that it tests every store in the same way. A
// second suite tests what only app.QueueStore has.
package dbtest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runboard/app"
)

// Store is all interfaces of the tested store that every store has.
type Store interface {
	app.Store
	app.WorkStore
	app.BulkRunner
	TrimLogs(ctx context.Context) (dropped int, err error)
}

// Settings are the options with which a test opens a store.
type Settings struct {
	MaxPending  int64 // most waiting runs; 0 is no limit
	MaxCrashes  int
	LogLimit    int64                           // in bytes for each run; 0 is the default
	MaxLogBytes int64                           // in bytes for all logs together; 0 is no limit
	Searched    int64                           // see query.NewReader; 0 is the default
	Kinds       []string                        // kinds with workers; nil: do not report any as unhandled
	Workers     int                             // for runs that are no bulk runs; 0: not known
	StartDelay  func(kind string) time.Duration // nil: none
	Definitions app.KindSource                  // policies of kinds; nil: none
	Secrets     *app.SecretBox                  // nil: secrets cannot be stored
	Now         func() time.Time
}

// TB is the part of testing.TB that a store needs. Property tests, which open hundreds of stores, have no
// more than this.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Subject is a store implementation to test.
type Subject struct {
	// Open returns a new, empty store. It must close the store when t ends.
	Open func(t TB, settings Settings) Store
	// Reopen closes the store and opens it again with the same data and settings, so that started runs count
	// as interrupted by a crash. It is nil if the store does not support that.
	Reopen func(t TB, store Store) Store
	// Rows returns the number of rows of a table of the store.
	Rows func(t TB, store Store, table string) int
	// Exec executes a statement on the database of the store.
	Exec func(t TB, store Store, statement string)
}

// part is a named test of a suite.
type part struct {
	name string
	test func(*testing.T, Subject)
}

// Run runs the suite for all stores as parallel subtests of t.
func Run(t *testing.T, subject Subject) {
	runParts(t, subject, []part{
		{"Create", testCreate},
		{"Create with a key", testIdempotencyKeys},
		{"Create under a limit", testMaxPending},
		{"Page", testPages},
		{"Page by page", testPageByPage},
		{"Around a page", testAround},
		{"Undo", testUndo},
		{"Run", testRun},
		{"Last success", testLastSuccess},
		{"Last success with the same inputs", testLastSuccessWithInputs},
		{"Inputs", testInputs},
		{"Secret inputs", testSecrets},
		{"KindOverviews and QueueAhead", testKinds},
		{"What runs wait for", testWaiting},
		{"Position", testPosition},
		{"Neighbours", testNeighbours},
		{"Attempts", testAttempts},
		{"Runs that are queued again", testQueuedAgain},
		{"Overview", testOverview},
		{"Start, Finish and Requeue", testTransitions},
		{"Fast paths", testFastPaths},
		{"Refused changes", testRefusedTransitions},
		{"Cancel and Retry", testCancelAndRetry},
		{"Delayed starts", testStartDelay},
		{"Bulk Actions and Delete", testBulkActions},
		{"Error texts", testErrorTexts},
		{"Failures", testFailures},
		{"Notes and mutes of failures", testTriage},
		{"Failures that return", testRecurrence},
		{"Filters", testFilters},
		{"Filters by inputs", testInputFilters},
		{"Search", testSearch},
		{"Clock set back", testClockSetBack},
		{"Log", testLog},
		{"TrimLogs", testTrimLogs},
		{"Statistics", testStatistics},
		{"Timeline", testTimeline},
		{"Statistics of lookbacks", testLookbacks},
		{"Notifications", testNotifications},
		{"Random operations", testRandomOperations},
	})
}

// RunQueue runs the suite for stores that also implement app.QueueStore.
func RunQueue(t *testing.T, subject Subject) {
	runParts(t, subject, []part{
		{"FetchDue", testFetchDue},
		{"FetchDue omits", testFetchDueOmits},
		{"StartMany and CompleteMany", testStartAndCompleteMany},
		{"RequeueSeq", testRequeueSeq},
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

// Clock is a clock that moves only when Advance is called. Any goroutine may use it.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	reads atomic.Int64
}

// NewClock returns a clock at a fixed time in whole milliseconds, which is the precision of stores.
func NewClock() *Clock {
	return &Clock{now: time.Date(2024, 2, 29, 23, 59, 58, 987e6, time.UTC)}
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time {
	c.reads.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
