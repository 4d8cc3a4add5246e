package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"runboard/db/rows"

	"github.com/jackc/pgx/v5"
)

const (
	// channel is where nodes tell each other that something has changed. What is said is who says it.
	channel = "runboard_changes"
	// tellEvery is how often a node tells others: the first change at once, and those that follow together. A commit that
	// tells something waits for all others that do.
	tellEvery = 200 * time.Millisecond
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
	s.changes.Ring()
	select {
	case s.notify <- struct{}{}:
	default: // somebody has said so already
	}
}

// tellOthers rings the bells of other nodes. What is lost when the database cannot be used is made good by them: they have
// lost their connections as well, and ring when these are back.
func (s *Store) tellOthers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.notify:
		}
		if _, err := s.db.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, strconv.FormatInt(s.node, 10)); err != nil && ctx.Err() == nil {
			s.note(err)
		}
		rows.Pause(ctx, tellEvery)
	}
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
		closeSoon(conn)
		return nil, err
	}
	return conn, nil
}

// hearOthers rings the bell when another node has changed something, and when it may have missed that.
func (s *Store) hearOthers(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	for wait := reconnectFirst; ctx.Err() == nil; {
		if conn != nil {
			s.hear(ctx, conn)
			conn = nil
			continue
		}
		rows.Pause(ctx, wait/2+rand.N(wait/2)) // not all nodes at once
		wait = min(2*wait, reconnectMost)
		var err error
		if conn, err = listen(ctx, config); err == nil {
			wait = reconnectFirst
			s.changes.Ring()
		}
	}
	if conn != nil {
		closeSoon(conn)
	}
}

// hear rings the bell until the connection breaks or ctx ends, and closes it.
func (s *Store) hear(ctx context.Context, conn *pgx.Conn) {
	defer closeSoon(conn)
	me := strconv.FormatInt(s.node, 10)
	for {
		waiting, cancel := context.WithTimeout(ctx, listenPatience)
		heard, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && heard.Payload != me:
			s.changes.Ring()
		case err == nil:
		case waiting.Err() != nil && s.stillThere(ctx, conn):
		default:
			s.note(errors.Join(errLost, err))
			return
		}
	}
}

// errLost is a connection that has broken while nobody asked for anything.
var errLost = errors.New("the connection that listens is lost")

func (s *Store) stillThere(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Ping(ctx) == nil
}

func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
