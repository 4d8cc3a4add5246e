package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"runboard/db/query"
)

// schemaLock is the key of an advisory lock that each connection of a node holds shared, and that a node
// which migrates the schema holds exclusively: no statement meets a schema that its node does not know.
const schemaLock = "1920298857, 1"

// errSession is the error for a pooler that lends a connection to the server for a transaction or a
// statement.
var errSession = errors.New("is behind a pooler that does not keep a connection to PostgreSQL for each " +
	"client, which locks and notifications need: set pool_mode = session in PgBouncer, or connect to " +
	"PostgreSQL itself")

// sessionTimeout is how long a notification may take through a pooler.
const sessionTimeout = 10 * time.Second

// checkSession fails with errSession if connections are not sessions of the server. A pooler names a process
// of its own invention. It then matters whether a client that does nothing is still sent the notifications
// that it listens for: in transaction mode it has no connection to the server meanwhile.
func checkSession(ctx context.Context, config *pgx.ConnConfig) error {
	listener, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return unreachable(err)
	}
	defer closeConnWithTimeout(listener)
	process, err := selectNumber(ctx, listener.PgConn(), "SELECT pg_backend_pid()")
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	if process == int(listener.PgConn().PID()) {
		return nil
	}
	notifier, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return unreachable(err)
	}
	defer closeConnWithTimeout(notifier)
	probe := fmt.Sprintf("runboard_session_%d_%d", process, time.Now().UnixNano())
	if _, err := listener.Exec(ctx, "LISTEN "+probe); err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	if _, err := notifier.Exec(ctx, "NOTIFY "+probe); err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	waitCtx, cancel := context.WithTimeout(ctx, sessionTimeout)
	defer cancel()
	for {
		notification, err := listener.WaitForNotification(waitCtx)
		if err != nil {
			return errSession
		}
		if notification.Channel == probe { // others may be of clients that had the same connection before
			return nil
		}
	}
}

// unreachable returns the error for a failed connection. The driver joins the errors of its attempts with and
// without TLS, and what the server has answered says why it refused.
func unreachable(err error) error {
	if answer, is := errors.AsType[*pgconn.PgError](err); is {
		err = answer
	}
	return fmt.Errorf("cannot be reached: %w", err)
}

// beginSession returns the statements with which each connection begins. They are no startup parameters,
// which PgBouncer refuses. The isolation level is set because the transactions rely on it, and the settings
// of a database may change the default. JIT compilation is off: it costs more than it saves. Sequential scans
// are off: a plan that was made when a table was empty would use one.
func (s *Store) beginSession() string {
	synchronous := "on"
	if s.options.Synchronous == "normal" {
		synchronous = "off"
	}
	return fmt.Sprintf(`SET statement_timeout = %d;
	SET lock_timeout = %d;
	SET idle_in_transaction_session_timeout = %d;
	SET default_transaction_isolation = 'read committed';
	SET jit = off;
	SET enable_seqscan = off;
	SET synchronous_commit = %s;
	SELECT pg_advisory_lock_shared(%s);
	%s`, statementTimeout.Milliseconds(), lockTimeout.Milliseconds(), idleTimeout.Milliseconds(), synchronous,
		schemaLock, schemaVersionOf)
}

// begin begins the session of a new connection. It fails if the schema is not that of this program.
func (s *Store) begin(ctx context.Context, conn *pgconn.PgConn) error {
	version, err := selectNumber(ctx, conn, s.beginSession())
	if err == nil && version != schemaVersion {
		err = query.ErrSchemaChanged(version, schemaVersion)
		s.fail(err)
	}
	return err
}

// selectNumber executes statements, of which the last one selects a number. It does not prepare them, which
// some poolers do not support.
func selectNumber(ctx context.Context, conn *pgconn.PgConn, statements string) (int, error) {
	results, err := conn.Exec(ctx, statements).ReadAll()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(results[len(results)-1].Rows[0][0]))
}

// Failed returns a channel that receives an error, at most once, when the store can never be used again:
// another version of the program has migrated the schema. The node has then lost its lease.
func (s *Store) Failed() <-chan error { return s.failed }

func (s *Store) fail(err error) {
	s.lease.lose()
	select {
	case s.failed <- s.named(err):
	default: // it has failed before
	}
}
