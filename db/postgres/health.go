package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"runboard/db/query"
)

// Ready implements app.Store.
func (s *Store) Ready() error {
	if s.door.isClosed() {
		return query.ErrClosed
	}
	if fault := s.fault.Load(); fault != nil {
		return query.Unavailable(*fault)
	}
	if fault := s.relapses.Err(); fault != nil {
		return query.Unavailable(fault)
	}
	return nil
}

// setHealth records whether the database can be used, and logs when that changes. An error that is not the
// database's fault is logged and leaves the state as it was.
func (s *Store) setHealth(err error) {
	was := s.fault.Load()
	switch {
	case err == nil && was != nil:
		s.relapses.Recovered()
		s.fault.Store(nil)
		s.options.Log.Info("the database can be used again")
	case err == nil:
	case !isUnavailable(err):
		s.options.Log.Error("a write failed", "error", err)
	default:
		s.relapses.Failed(err)
		if s.fault.Swap(&err) == nil {
			s.options.Log.Error("the database cannot be used", "error", err)
		}
	}
}

// probeRow writes a row that is never read: no kind has an empty name.
const probeRow = `INSERT INTO worker_kinds (node, kind, seen_at) VALUES (0, '', 0)
	ON CONFLICT (node, kind) DO UPDATE SET seen_at = 0`

// probe checks with a write whether the database can be used.
func (s *Store) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	_, err := s.db.ExecContext(ctx, probeRow)
	if err == nil || isUnavailable(err) && ctx.Err() == nil {
		s.setHealth(err)
	}
}

// isUnavailable reports whether err is a fault of the server or the network, rather than of the statement.
func isUnavailable(err error) bool {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting || err == nil {
		return connecting
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // cancelled by the caller, or slow
	}
	if answer, is := errors.AsType[*pgconn.PgError](err); is {
		return isFaultCode(answer.Code) || isStorageFault(answer)
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, errLost) || pgconn.SafeToRetry(err) || isBroken(err)
}

// causeOf returns why a query failed. If its context has ended, that is why: the driver then reports a query
// that it did not send as a bad connection, like one that the server has closed.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, driver.ErrBadConn) {
		return ctx.Err()
	}
	return err
}

// isFaultCode reports whether a SQLSTATE means that the database cannot be used: connection exceptions,
// insufficient resources, operator intervention, read-only, system errors, and corruption. See
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func isFaultCode(code string) bool {
	for _, class := range []string{"08", "53", "57P", "25006", "58", "XX001", "XX002"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// isStorageFault reports whether the storage manager of the server failed for a reason that has no code of
// its own, such as a file that has reached the limit of its size.
func isStorageFault(answer *pgconn.PgError) bool {
	return answer.Code == "XX000" && answer.File == "md.c"
}

// isRefusal reports whether the server rejected a statement for its content, so that others may succeed.
func isRefusal(err error) bool {
	_, answered := errors.AsType[*pgconn.PgError](err)
	return answered && !isUnavailable(err) && !isSerializationFailure(err)
}

// isSerializationFailure reports whether a transaction failed by a serialization failure or a deadlock.
func isSerializationFailure(err error) bool {
	answer, is := errors.AsType[*pgconn.PgError](err)
	return is && (answer.Code == "40001" || answer.Code == "40P01")
}

// isBroken reports whether a connection was closed while in use.
func isBroken(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sql.ErrConnDone)
}
