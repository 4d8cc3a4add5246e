package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"runboard/db/query"
)

const (
	// channel is the NOTIFY channel for changes. The payload is the ID of the sending node.
	channel = "runboard_changes"
	// notifyInterval is the minimum time between two notifications of a node. The first change is sent at
	// once, later ones together: PostgreSQL serializes the commits of transactions that notify.
	notifyInterval = 200 * time.Millisecond
	// notifyRetry is the delay before a failed notification is sent again.
	notifyRetry = time.Second
	// reconnectFirst and reconnectMost bound the exponential backoff before the listener reconnects.
	reconnectFirst = 100 * time.Millisecond
	reconnectMost  = 5 * time.Second
	// listenTimeout bounds connecting the listener, including its LISTEN.
	listenTimeout = connectTimeout + 5*time.Second
	// notify sends a notification.
	notify = "SELECT pg_notify($1, $2)"
	// pingAfter is how long the listener waits for a notification before it pings the server.
	pingAfter = 30 * time.Second
)

// changed notifies the subscribers of this node and the other nodes. It is called after a commit.
func (s *Store) changed() {
	s.changes.Notify()
	s.queueNotify()
}

// queueNotify asks notifyLoop to notify the other nodes. It does not block.
func (s *Store) queueNotify() {
	select {
	case s.notify <- struct{}{}:
	default: // a notification is pending already
	}
}

// notifyLoop notifies the other nodes until ctx ends. A failed notification is retried: other nodes may still
// be listening although this one has lost its connection.
func (s *Store) notifyLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.notify:
		}
		delay := notifyInterval
		if err := s.sendNotify(ctx); err != nil {
			s.queueNotify()
			delay = notifyRetry
		}
		query.Pause(ctx, delay)
	}
}

// flushNotify sends the pending notification, if there is one.
func (s *Store) flushNotify() {
	select {
	case <-s.notify:
		_ = s.sendNotify(context.Background())
	default:
	}
}

// sendNotify sends one notification to all nodes.
func (s *Store) sendNotify(ctx context.Context) error {
	notifyCtx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err := s.db.ExecContext(notifyCtx, notify, channel, strconv.FormatInt(s.node, 10))
	if err != nil && ctx.Err() == nil {
		s.setHealth(err)
	}
	return err
}

// listen opens a connection that listens for notifications. It does not come from the pool because it is
// never idle.
func listen(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, err
	}
	for _, name := range []string{jobsChannel, channel} {
		if _, err := conn.Exec(ctx, "LISTEN "+name); err != nil {
			closeConnWithTimeout(conn)
			return nil, err
		}
	}
	return conn, nil
}

// listenLoop notifies the subscribers of this node when another node has committed a change or added jobs,
// and after each reconnect, because notifications may have been lost. It takes ownership of conn.
func (s *Store) listenLoop(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	for backoff := reconnectFirst; ctx.Err() == nil; {
		if conn != nil {
			s.listenOnce(ctx, conn)
			conn = nil
			continue
		}
		query.Pause(ctx, backoff/2+rand.N(backoff/2)) // nodes must not reconnect all at once
		backoff = min(2*backoff, reconnectMost)
		var err error
		if conn, err = listen(ctx, config); err != nil {
			s.probe(ctx) // without a listener, an idle node would not notice that the server is gone
			continue
		}
		backoff = reconnectFirst
		s.changes.Notify()
		s.jobsAdded(queueNames...)
	}
	if conn != nil {
		closeConnWithTimeout(conn)
	}
}

// listenOnce forwards notifications until conn breaks or ctx ends, and closes conn.
func (s *Store) listenOnce(ctx context.Context, conn *pgx.Conn) {
	defer closeConnWithTimeout(conn)
	self := strconv.FormatInt(s.node, 10)
	for {
		waitCtx, cancel := context.WithTimeout(ctx, pingAfter)
		notification, err := conn.WaitForNotification(waitCtx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && notification.Channel == jobsChannel:
			s.heardOfJobs(notification.Payload)
		case err == nil && notification.Payload != self:
			s.changes.Notify()
		case err == nil:
		case waitCtx.Err() != nil && s.isAlive(ctx, conn):
		default:
			s.setHealth(errors.Join(errLost, err))
			return
		}
	}
}

// errLost reports that the listening connection broke while it was idle.
var errLost = errors.New("the listening connection is lost")

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
