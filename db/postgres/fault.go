package postgres

import (
	"context"
	"errors"
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
	return nil
}

// note remembers whether the database can be used, and logs when that changes. What fails by a fault of its own says
// nothing of the database.
func (s *Store) setHealth(err error) {
	was := s.fault.Load()
	switch {
	case err == nil && was != nil:
		s.fault.Store(nil)
		s.options.Log.Info("the database can be used again")
	case err == nil:
	case !isUnavailable(err):
		s.options.Log.Error("a write failed", "error", err)
	default:
		if s.fault.Swap(&err) == nil {
			s.options.Log.Error("the database cannot be used", "error", err)
		}
	}
}

// writable writes a row that is not read: there is no kind without a name.
const writable = `INSERT INTO worker_kinds (kind, seen_at) VALUES ('', 0) ON CONFLICT (kind) DO UPDATE SET seen_at = 0`

// probe writes something that nobody reads, to see whether the database can be used.
func (s *Store) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, query.ReadTimeout)
	defer cancel()
	_, err := s.db.ExecContext(ctx, writable)
	if err == nil || isUnavailable(err) && ctx.Err() == nil {
		s.setHealth(err)
	}
}

// isFault reports whether err lies in the server or the way to it, and not in what was asked of it.
func isUnavailable(err error) bool {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting || err == nil {
		return connecting
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) { // here, or only slow
		return false
	}
	if answer, is := errors.AsType[*pgconn.PgError](err); is {
		return isFaultCode(answer.Code)
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, errLost) || pgconn.SafeToRetry(err) || isBroken(err)
}

// isFaultCode goes by the classes of https://www.postgresql.org/docs/current/errcodes-appendix.html: no connection, out of
// resources such as disk space, shutting down or starting, read-only, input and output, and damaged.
func isFaultCode(code string) bool {
	for _, class := range []string{"08", "53", "57P", "25006", "58", "XX001", "XX002"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// isRefusal reports whether the server refused a statement for what it was about, so that others would not be refused.
func isRefusal(err error) bool {
	_, answered := errors.AsType[*pgconn.PgError](err)
	return answered && !isUnavailable(err) && !isRetryable(err)
}

// again reports whether a transaction failed only because of what others did at the same time.
func isRetryable(err error) bool {
	answer, is := errors.AsType[*pgconn.PgError](err)
	return is && (answer.Code == "40001" || answer.Code == "40P01")
}
