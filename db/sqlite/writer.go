package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/app"
	"runboard/db/query"
)

const (
	// maxBatch is the maximum number of writes in one transaction. In measurements, larger ones gained
	// nothing.
	maxBatch = 2048
	// probeInterval is how often the writer checks the files and, after a failed write, tries to write again.
	probeInterval = time.Second
)

// errNoTransaction wraps an error of BEGIN or COMMIT, which no single write has caused.
var errNoTransaction = errors.New("no transaction")

// writer runs the only goroutine that writes to the database (group commit). It collects the writes that
// arrive during a commit, applies all of them in the next transaction, and answers after its commit. Callers
// share the cost of a commit, and none waits for others to arrive.
type writer struct {
	statements *statements
	log        *slog.Logger
	now        func() time.Time
	notify     func()
	startDelay func(kind string) time.Duration

	mu     sync.RWMutex // read-locked to enqueue a write, locked to close
	closed bool
	writes chan write
	done   chan struct{}

	// Owned by the goroutine.
	counts  app.Counts
	newest  int64       // created_at of the newest run, in milliseconds
	clock   query.Watch // notices that the clock was set back
	rollups query.Rollups

	cancelRequests atomic.Int64          // started runs whose cancellation is requested
	requeueSeq     atomic.Int64          // see app.QueueStore
	enqueueSeq     atomic.Int64          // see app.QueueStore
	fault          atomic.Pointer[error] // why the database cannot be written, or nil
	files          []watchedFile
	lostFile       atomic.Pointer[error] // which file was deleted or replaced, or nil
}

// write is one change. The writer's goroutine calls apply. If apply fails with an *app.Error, it must have
// written nothing, and the other writes of the transaction stand. After any other error the whole transaction
// is rolled back.
type write struct {
	apply func(*transaction) error
	state *callState // nil: the write cannot be cancelled
	done  chan error // receives one value
}

// transaction is the transaction as its writes see it. Its totals become the writer's after the commit. Only
// the writer's goroutine uses it.
type transaction struct {
	*statements
	now            time.Time // the same for all writes
	counts         app.Counts
	newest         int64 // created_at of the newest run, in milliseconds
	cancelRequests int64 // change of the number of started runs whose cancellation is requested
	requeued       int64 // runs that returned to created
	enqueued       int64 // runs that entered created, new or requeued
	changed        bool  // subscribers must be notified
	rollupsFlushed bool
	statsEvents    []query.StatsEvent
	startDelay     func(kind string) time.Duration
}

// startWriter prepares the statements, reads the counts, and starts the goroutine. The writer calls ring
// after each commit that changed something. The caller must call stop.
func startWriter(ctx context.Context, pool *sqlx.DB, options Options, ring func()) (*writer, error) {
	statements, err := prepare(ctx, pool, options.searchable)
	if err != nil {
		return nil, errCorrupt(err)
	}
	w := &writer{
		statements: statements, log: options.Log, now: options.Now, startDelay: options.StartDelay, notify: ring,
		rollups: query.Rollups{Every: options.rollEvery}, files: options.files,
		writes: make(chan write, maxBatch), done: make(chan struct{}),
	}
	if w.counts, err = query.ReadCounts(ctx, statements.conn); err != nil {
		return nil, errCorrupt(err)
	}
	if _, err = query.Find(ctx, statements.conn, &w.newest, "SELECT created_at FROM process_runs ORDER BY id DESC LIMIT 1"); err != nil {
		return nil, errCorrupt(err)
	}
	go w.run()
	return w, nil
}

// do calls apply in a transaction and returns after its commit. If ctx ends before apply is called, apply is
// never called and do fails with CodeUnavailable. Once apply has started, do waits for the result, because a
// caller that gets an error must be able to try again. apply may be called twice, if another write spoilt the
// first transaction; the last call counts.
func (w *writer) do(ctx context.Context, apply func(*transaction) error) error {
	return w.submit(ctx, write{apply: apply, done: make(chan error, 1)})
}

func (w *writer) submit(ctx context.Context, request write) error {
	request.state = &callState{}
	if err := w.enqueue(ctx, request); err != nil {
		return err
	}
	select {
	case err := <-request.done:
		return err
	case <-ctx.Done():
		if request.state.cancel() {
			return query.Unavailable(ctx.Err())
		}
		return <-request.done // apply has been called
	}
}

func (w *writer) enqueue(ctx context.Context, request write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return query.ErrClosed
	}
	select {
	case w.writes <- request:
		return nil
	case <-ctx.Done():
		return query.Unavailable(ctx.Err())
	}
}

// stop refuses further writes and returns after the enqueued ones are committed.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.writes)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	defer w.statements.close()
	probe := time.NewTicker(probeInterval)
	defer probe.Stop()
	group := make([]write, 0, maxBatch)
	for {
		select {
		case first, open := <-w.writes:
			if !open {
				w.flushLastRollups()
				return
			}
			group = w.collect(append(group[:0], first))
			w.commit(group)
		case <-probe.C:
			_ = w.checkFiles()
			switch wentBack := w.clock.WentBack(w.now()); {
			case w.fault.Load() != nil:
				w.commit([]write{{apply: (*transaction).probe, done: make(chan error, 1)}})
			case wentBack:
				w.commit([]write{{apply: (*transaction).repairScheduled, done: make(chan error, 1)}})
			case w.rollups.Due():
				w.commit(nil)
			}
		}
	}
}

// collect adds the writes that have already arrived to group, up to maxBatch. It does not wait.
func (w *writer) collect(group []write) []write {
	for len(group) < maxBatch {
		select {
		case next, open := <-w.writes:
			if !open {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commit applies group in one transaction and answers its callers. If one write spoils the transaction, each
// write gets a transaction of its own.
func (w *writer) commit(group []write) {
	if gone := w.checkFiles(); gone != nil {
		for _, request := range group {
			request.done <- query.Unavailable(gone)
		}
		return
	}
	results, err := w.transact(group)
	if err != nil && len(group) > 1 && !storageFault(err) {
		w.log.Error("a batch of writes failed; they are repeated one by one", "writes", len(group), "error", err)
		w.commitEach(group)
		return
	}
	w.setHealth(err)
	for i, request := range group {
		if err != nil {
			request.done <- query.Unavailable(err)
		} else {
			request.done <- results[i]
		}
	}
}

// commitEach gives each write a transaction of its own. After a storage fault, the remaining writes fail
// together, because each could wait for a locked file for as long as SQLite's busy timeout.
func (w *writer) commitEach(group []write) {
	for i := range group {
		w.commit(group[i : i+1])
		if rest := group[i+1:]; w.fault.Load() != nil && len(rest) > 0 {
			w.commit(rest)
			return
		}
	}
}

// transact returns the result of each write of group, or an error if nothing was committed.
func (w *writer) transact(group []write) (results []error, err error) {
	tx := &transaction{
		statements: w.statements, now: w.now(), counts: w.counts, newest: w.newest, startDelay: w.startDelay,
	}
	if err := w.statements.exec(tx.begin); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
		if err != nil {
			_ = w.statements.exec(tx.rollback) // fails if SQLite has rolled back itself
		}
	}()
	results = make([]error, len(group))
	for i, request := range group {
		if !request.state.start() {
			continue
		}
		results[i] = request.apply(tx)
		if results[i] != nil && app.CodeOf(results[i]) == app.CodeInternal {
			return nil, results[i]
		}
	}
	if err := tx.saveCounts(w.counts); err != nil {
		return nil, err
	}
	if err := w.flushRollups(tx); err != nil {
		return nil, err
	}
	if err := w.statements.exec(tx.commit); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	w.applied(tx)
	return results, nil
}

// applied copies the totals of a committed transaction to the writer and notifies subscribers.
func (w *writer) applied(tx *transaction) {
	w.counts, w.newest = tx.counts, tx.newest
	w.cancelRequests.Add(tx.cancelRequests)
	w.requeueSeq.Add(tx.requeued)
	w.enqueueSeq.Add(tx.enqueued)
	if tx.rollupsFlushed {
		w.rollups.Forget()
	}
	w.rollups.Add(tx.now, tx.statsEvents...)
	if tx.changed {
		w.notify()
	}
}

// flushRollups saves the statistics of earlier transactions when they are due. Statistics must not fail a
// run: if they cannot be saved although the database can be written, they are discarded.
func (w *writer) flushRollups(tx *transaction) error {
	if !w.rollups.Due() {
		return nil
	}
	err := tx.saveRollups(&w.rollups)
	if err != nil && storageFault(err) {
		return err
	}
	if err != nil {
		w.log.Error("statistics could not be written", "error", err)
	}
	tx.rollupsFlushed = true
	return nil
}

// flushLastRollups saves the remaining statistics when the writer stops.
func (w *writer) flushLastRollups() {
	if w.rollups.Hurry(); w.rollups.Due() {
		w.commit(nil)
	}
}

// saveCounts saves the counts that differ from before.
func (tx *transaction) saveCounts(before app.Counts) error {
	for status, n := range tx.counts {
		if n == before[status] {
			continue
		}
		if err := tx.exec(tx.setCount, n, status); err != nil {
			return err
		}
	}
	return nil
}
