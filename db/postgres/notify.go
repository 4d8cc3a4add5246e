package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"runboard/db/query"

	"github.com/jackc/pgx/v5"
)

const (
	// channel is where nodes tell each other that something has changed. What is said is who says it.
	channel = "runboard_changes"
	// tellEvery is how often a node tells others: the first change at once, and those that follow together. A commit that
	// tells something waits for all others that do.
	tellEvery = 200 * time.Millisecond
	// tellAgain is after how long others are told again who could not be.
	tellAgain = time.Second
	// reconnectFirst and reconnectMost are for how long a broken connection is left alone before a new one is tried.
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = 5 * time.Second
	// listenTime is how long it may take to get a connection that listens.
	listenTime = 10 * time.Second
	// listenPatience is after how long without a word a listener asks whether there is still anybody.
	listenPatience = 30 * time.Second
)

// changed tells everybody that something has been committed.
func (s *Store) changed() {
	s.changes.Notify()
	s.queueNotify()
}

// haveTold has others told of a change.
func (s *Store) queueNotify() {
	select {
	case s.notify <- struct{}{}:
	default: // somebody has said so already
	}
}

// tellOthers rings the bells of other nodes until ctx ends. It does not believe that they have lost their connections when
// it has lost one, but tells them later.
func (s *Store) notifyLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.notify:
		}
		rest := tellEvery
		if err := s.sendNotify(ctx); err != nil {
			s.queueNotify()
			rest = tellAgain
		}
		query.Pause(ctx, rest)
	}
}

// tellLast tells others of what they have not been told of.
func (s *Store) flushNotify() {
	select {
	case <-s.notify:
		_ = s.sendNotify(context.Background())
	default:
	}
}

func (s *Store) sendNotify(ctx context.Context) error {
	telling, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	_, err := s.db.ExecContext(telling, "SELECT pg_notify($1, $2)", channel, strconv.FormatInt(s.node, 10))
	if err != nil && ctx.Err() == nil {
		s.setHealth(err)
	}
	return err
}

// listen opens a connection that hears others. It is not one of the pool's: it waits all the time.
func listen(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		closeConnWithTimeout(conn)
		return nil, err
	}
	return conn, nil
}

// hearOthers rings the bell when another node has changed something, and when it may have missed that.
func (s *Store) listenLoop(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	for wait := reconnectFirst; ctx.Err() == nil; {
		if conn != nil {
			s.listenOnce(ctx, conn)
			conn = nil
			continue
		}
		query.Pause(ctx, wait/2+rand.N(wait/2)) // not all nodes at once
		wait = min(2*wait, reconnectMost)
		var err error
		if conn, err = listen(ctx, config); err != nil {
			s.probe(ctx) // there is nobody now who would hear that the server is gone
			continue
		}
		wait = reconnectFirst
		s.changes.Notify()
	}
	if conn != nil {
		closeConnWithTimeout(conn)
	}
}

// hear rings the bell until the connection breaks or ctx ends, and closes it.
func (s *Store) listenOnce(ctx context.Context, conn *pgx.Conn) {
	defer closeConnWithTimeout(conn)
	me := strconv.FormatInt(s.node, 10)
	for {
		waiting, cancel := context.WithTimeout(ctx, listenPatience)
		heard, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && heard.Payload != me:
			s.changes.Notify()
		case err == nil:
		case waiting.Err() != nil && s.isAlive(ctx, conn):
		default:
			s.setHealth(errors.Join(errLost, err))
			return
		}
	}
}

// errLost is a connection that has broken while nobody asked for anything.
var errLost = errors.New("the connection that listens is lost")

func (s *Store) isAlive(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Ping(ctx) == nil
}

func closeConnWithTimeout(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
