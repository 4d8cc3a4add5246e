package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// rawQueue is the limit: rows with a status and two times, written by one goroutine that commits all pending
// writes in one transaction. It has no kinds, attempts, history, indexes or subscribers. It panics if the
// database fails.
type rawQueue struct {
	db      *sql.DB
	conn    *sql.Conn
	awaited bool // workers wait until each change is committed
	writes  chan rawWrite
	waiting chan int64 // ids of created rows
	last    int64      // the newest id
	ended   atomic.Int64
	written sync.WaitGroup
	working sync.WaitGroup
}

// rawWrite sets the status of a range of rows; status 0 inserts them.
type rawWrite struct {
	from, to int64 // ids, inclusive
	status   int64
	done     chan struct{} // closed after the commit; nil if the write is not awaited
}

const rawGroup = 2048 // most writes in a transaction

// openRaw returns a function that opens the limit on a new file.
func openRaw(synchronous string, awaited bool) func(string, addresses) (queue, error) {
	return func(dir string, _ addresses) (queue, error) {
		pool, err := sql.Open("sqlite3",
			"file:"+filepath.Join(dir, "raw.db")+"?_journal=WAL&_sync="+synchronous)
		if err != nil {
			return nil, err
		}
		conn, err := pool.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		_, err = conn.ExecContext(context.Background(), `CREATE TABLE process_runs (
			id INTEGER PRIMARY KEY, status INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`)
		q := &rawQueue{db: pool, conn: conn, awaited: awaited, writes: make(chan rawWrite, rawGroup),
			waiting: make(chan int64, 1<<20)}
		q.written.Go(q.write)
		return q, err
	}
}

func (q *rawQueue) start(workers int, work func()) error {
	for range workers {
		q.working.Go(func() {
			for id := range q.waiting {
				q.change(id, id, 1, q.awaited)
				work()
				q.change(id, id, 2, q.awaited)
			}
		})
	}
	return nil
}

func (q *rawQueue) change(from, to, status int64, awaited bool) {
	write := rawWrite{from: from, to: to, status: status}
	if awaited {
		write.done = make(chan struct{})
	}
	q.writes <- write
	if awaited {
		<-write.done
	}
}

func (q *rawQueue) add(runs int) error {
	from := q.last + 1
	q.last += int64(runs)
	q.change(from, q.last, 0, true)
	for id := from; id <= q.last; id++ {
		q.waiting <- id
	}
	return nil
}

func (q *rawQueue) done() (int, error) { return int(q.ended.Load()), nil }

func (q *rawQueue) stop() {
	close(q.waiting)
	q.working.Wait()
	close(q.writes)
	q.written.Wait()
	_ = q.conn.Close()
	_ = q.db.Close()
}

// write commits the pending writes, as many together as there are, until writes is closed.
func (q *rawQueue) write() {
	prepared := func(text string) *sql.Stmt {
		statement, err := q.conn.PrepareContext(context.Background(), text)
		if err != nil {
			panic(err)
		}
		return statement
	}
	begin, commit := prepared("BEGIN IMMEDIATE"), prepared("COMMIT")
	insert := prepared("INSERT INTO process_runs (id, status, created_at, updated_at) VALUES (?1, 0, ?2, ?2)")
	update := prepared("UPDATE process_runs SET status = ?, updated_at = ? WHERE id = ?")
	exec := func(statement *sql.Stmt, args ...any) {
		if _, err := statement.Exec(args...); err != nil {
			panic(err)
		}
	}
	for first := range q.writes {
		group, ended := takePending(first, q.writes), int64(0)
		exec(begin)
		for _, one := range group {
			now := time.Now().UnixMilli()
			for id := one.from; id <= one.to; id++ {
				if one.status == 0 {
					exec(insert, id, now)
				} else {
					exec(update, one.status, now, id)
				}
			}
			if one.status == 2 {
				ended++
			}
		}
		exec(commit)
		q.ended.Add(ended)
		for _, one := range group {
			if one.done != nil {
				close(one.done)
			}
		}
	}
}

// takePending returns first and the writes that are already pending, up to rawGroup.
func takePending(first rawWrite, writes <-chan rawWrite) []rawWrite {
	group := []rawWrite{first}
	for len(group) < rawGroup {
		select {
		case next, open := <-writes:
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
