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
	// maxGroup is how many writes are committed together at most: measured, nothing is gained above.
	maxBatch = 2048
	// probeEvery is how often a writer that failed tries whether it can write again.
	probeInterval = time.Second
)

// errNoTransaction is a transaction that cannot be begun or committed, whatever was to be written in it.
var errNoTransaction = errors.New("no transaction")

// writer is the only one who writes to the database. It takes what has gathered while it committed
// the last time, runs all of it in one transaction, and answers everybody after the commit: the
// cost of a commit is shared by as many as happen to wait for it, and nobody waits for company.
type writer struct {
	statements *statements
	log        *slog.Logger
	now        func() time.Time
	notify     func()

	mu     sync.RWMutex // held for reading while handing a write in, for writing to close the door
	closed bool
	writes chan write
	done   chan struct{}

	counts         app.Counts            // owned by the goroutine
	newest         int64                 // likewise: when the newest run was created, in milliseconds
	clock          query.Watch           // likewise: notices when the clock is set back
	rollups        query.Rollups         // likewise
	cancelRequests atomic.Int64          // how many started runs have a cancel request
	requeueSeq     atomic.Int64          // how often a run has come back to created
	enqueueSeq     atomic.Int64          // how often a run has come to wait
	fault          atomic.Pointer[error] // why the database cannot be written, nil when it can as far as is known
	files          []watchedFile
	lostFile       atomic.Pointer[error] // which of files is not where it was, nil when all are
}

// write is something that somebody wants done in a transaction. apply is called by the writer's
// goroutine. When it fails with an *app.Error it must have written nothing: the others' writes in
// the transaction stand. After any other error the whole transaction is given up.
type write struct {
	apply func(*transaction) error
	state *callState // whether it is still wanted
	done  chan error // holds one
}

// transaction is what a write sees of the transaction that it is part of.
type transaction struct {
	*statements
	now            time.Time  // the one time of everything in it
	counts         app.Counts // as they will be after the commit
	newest         int64      // when the newest run will then have been created, in milliseconds
	cancelRequests int64      // how many more started runs then have a cancel request
	requeued       int64      // how many runs have then come back to created
	enqueued       int64      // how many runs have then come to wait
	changed        bool       // whether there is anything to announce
	rollupsFlushed bool       // whether what was gathered for the rollups is in it

	statsEvents []query.StatsEvent // for the rollups
}

func startWriter(ctx context.Context, pool *sqlx.DB, options Options, ring func()) (*writer, error) {
	statements, err := prepare(ctx, pool, options.searchable)
	if err != nil {
		return nil, errCorrupt(err)
	}
	w := &writer{
		statements: statements, log: options.Log, now: options.Now, notify: ring,
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

// do has apply done in a transaction and returns after its commit. When ctx ends before apply was called, it never will
// be; afterwards, do waits all the same, for whoever is told of an error must be able to try again. apply may be called
// twice, when somebody else's write has spoilt the first transaction; what counts is the last call.
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
		return <-request.done // its transaction has begun, and waits for nobody
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

// stop refuses further writes, commits those that were handed in, and returns when that is done.
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

// gather adds to group what waits already.
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

// commit runs the group in one transaction and answers. When that fails for a reason that lies in
// one of the writes, the innocent ones must not suffer: each then gets a transaction of its own.
func (w *writer) commit(group []write) {
	if gone := w.checkFiles(); gone != nil {
		for _, request := range group {
			request.done <- query.Unavailable(gone)
		}
		return
	}
	results, err := w.transact(group)
	if err != nil && len(group) > 1 && !storageFault(err) {
		w.log.Error("a group of writes failed; trying them one by one", "writes", len(group), "error", err)
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

// commitEach gives each write a transaction of its own. When it turns out that the database cannot be
// written, the rest fails together: each might wait for a locked file as long as SQLite does.
func (w *writer) commitEach(group []write) {
	for i := range group {
		w.commit(group[i : i+1])
		if rest := group[i+1:]; w.fault.Load() != nil && len(rest) > 0 {
			w.commit(rest)
			return
		}
	}
}

// transact returns what each write of the group came to, or an error when nothing was committed.
func (w *writer) transact(group []write) (results []error, err error) {
	tx := &transaction{statements: w.statements, now: w.now(), counts: w.counts, newest: w.newest}
	if err := w.statements.exec(tx.begin); err != nil {
		return nil, errors.Join(errNoTransaction, err)
	}
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v\n%s", panicked, debug.Stack())
		}
		if err != nil {
			_ = w.statements.exec(tx.rollback) // fails when SQLite has rolled back by itself
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

// take takes over what a transaction has made true.
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

// roll writes down what was gathered of earlier transactions, when it is time. No run may suffer from that: what cannot be
// written although the database can is forgotten.
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

// commitRollups writes down what was gathered, at the end.
func (w *writer) flushLastRollups() {
	if w.rollups.Hurry(); w.rollups.Due() {
		w.commit(nil)
	}
}

// saveCounts stores the counts that are not as they were.
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
