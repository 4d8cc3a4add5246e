package sqlite

import (
	"context"
	"errors"
	"fmt"
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
	options *Options
	notify  func() // called after each commit that changed something

	mu     sync.RWMutex // read-locked to enqueue a write, locked to close
	closed bool
	writes chan write
	done   chan struct{}

	writerState

	cancelRequests atomic.Int64 // started runs whose cancellation is requested
	requeueSeq     atomic.Int64 // see app.QueueStore
	enqueueSeq     atomic.Int64 // see app.QueueStore
	health
}

// writerState is owned by the writer's goroutine.
type writerState struct {
	conn    *sqlx.Conn // the only connection that writes; the driver caches its statements
	totals  totals
	rollups query.Rollups

	clock     query.ClockWatch // notices that the clock was set back
	repairDue bool             // the clock was set back, and scheduled runs are not repaired yet
}

// write is one change, as Store.write describes it.
type write struct {
	apply func(*transaction) error
	state *callState // nil: the write cannot be cancelled
	done  chan error // receives one value
}

// newWriter takes a connection from pool and reads the totals. The caller must call run in a goroutine and
// then stop, or else close conn.
func newWriter(ctx context.Context, pool *sqlx.DB, options *Options, notify func()) (w *writer, err error) {
	w = &writer{
		options: options, notify: notify, writes: make(chan write, maxBatch), done: make(chan struct{}),
		writerState: writerState{rollups: query.Rollups{Every: options.rollEvery}},
	}
	if w.conn, err = pool.Connx(ctx); err != nil {
		return nil, err
	}
	if w.totals.counts, err = query.ReadCounts(ctx, w.conn); err == nil {
		const newest = "SELECT created_at FROM process_runs ORDER BY id DESC LIMIT 1"
		_, err = query.Find(ctx, w.conn, &w.totals.newest, newest)
	}
	if err != nil {
		_ = w.conn.Close()
		return nil, err
	}
	return w, nil
}

// do implements Store.write.
func (w *writer) do(ctx context.Context, apply func(*transaction) error) error {
	request := write{apply: apply, state: &callState{}, done: make(chan error, 1)}
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
	defer func() { _ = w.conn.Close() }()
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
			if w.clock.WentBack(w.options.Now()) {
				w.repairDue = true
			}
			switch {
			case w.fault.Load() != nil:
				_ = w.commitOne((*transaction).probe)
			case w.repairDue:
				w.repairDue = w.commitOne((*transaction).repairScheduled) != nil
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
		w.options.Log.Error("a batch of writes failed; they are repeated one by one",
			"writes", len(group), "error", err)
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

// commitOne commits a change by the writer itself.
func (w *writer) commitOne(apply func(*transaction) error) error {
	own := write{apply: apply, done: make(chan error, 1)}
	w.commit([]write{own})
	return <-own.done
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
	tx := &transaction{totals: w.totals, conn: w.conn, options: w.options, now: w.options.Now()}
	if err := tx.Exec("BEGIN IMMEDIATE"); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
		if err != nil {
			_ = tx.Exec("ROLLBACK") // fails if SQLite has rolled back itself
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
	if err := tx.saveCounts(w.totals.counts); err != nil {
		return nil, err
	}
	flushed, err := w.flushRollups(tx)
	if err != nil {
		return nil, err
	}
	if err := tx.Exec("COMMIT"); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	if flushed {
		w.rollups.Forget()
	}
	w.committed(tx)
	return results, nil
}

// committed takes over the totals of a committed transaction and notifies subscribers.
func (w *writer) committed(tx *transaction) {
	w.totals = tx.totals
	w.cancelRequests.Store(tx.cancelRequests)
	w.requeueSeq.Add(tx.requeued)
	w.enqueueSeq.Add(tx.enqueued)
	w.rollups.Add(tx.now, tx.events...)
	if tx.changed {
		w.notify()
	}
}

// flushRollups saves the statistics of earlier transactions if they are due, and reports whether they can be
// forgotten. Statistics must not fail a run: if they cannot be saved although the database can be written,
// they are discarded.
func (w *writer) flushRollups(tx *transaction) (flushed bool, err error) {
	if !w.rollups.Due() {
		return false, nil
	}
	err = tx.saveRollups(&w.rollups)
	if err != nil && storageFault(err) {
		return false, err
	}
	if err != nil {
		w.options.Log.Error("statistics could not be written", "error", err)
	}
	return true, nil
}

// flushLastRollups saves the remaining statistics when the writer stops.
func (w *writer) flushLastRollups() {
	if w.rollups.Hurry(); w.rollups.Due() {
		w.commit(nil)
	}
}

const setCount = `UPDATE status_counts SET n = ? WHERE status = ?`

// saveCounts saves the counts that differ from before.
func (tx *transaction) saveCounts(before app.Counts) error {
	for status, n := range tx.counts {
		if n == before[status] {
			continue
		}
		if err := tx.Exec(setCount, n, status); err != nil {
			return err
		}
	}
	return nil
}
