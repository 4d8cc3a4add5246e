package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// rawQueue is what the ground allows: rows with a status and two times, written by one goroutine that commits all
// that waits in one transaction. It has no kinds, no attempts, no history, no indexes, and tells nobody anything.
type rawQueue struct {
	db      *sql.DB
	conn    *sql.Conn
	awaited bool
	writes  chan rawWrite
	waiting chan int64
	last    int64
	ended   atomic.Int64
	written sync.WaitGroup
	working sync.WaitGroup
}

type rawWrite struct {
	from, to int64 // ids
	status   int64
	done     chan struct{} // closed after the commit; nil when nobody waits for it
}

const rawGroup = 2048 // writes in a transaction

func openRaw(synchronous string, awaited bool) func(string, addresses) (queue, error) {
	return func(dir string, _ addresses) (queue, error) {
		pool, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "raw.db")+"?_journal=WAL&_sync="+synchronous)
		if err != nil {
			return nil, err
		}
		conn, err := pool.Conn(context.Background())
		if err != nil {
			return nil, err
		}
		_, err = conn.ExecContext(context.Background(), `CREATE TABLE process_runs (
			id INTEGER PRIMARY KEY, status INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL)`)
		q := &rawQueue{db: pool, conn: conn, awaited: awaited, writes: make(chan rawWrite, rawGroup), waiting: make(chan int64, 1<<20)}
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

// write commits what is handed in, as much as there is, until the door is closed.
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
		group, ended := gathered(first, q.writes), int64(0)
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

// gathered is a write with those that wait already.
func gathered(first rawWrite, writes <-chan rawWrite) []rawWrite {
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
