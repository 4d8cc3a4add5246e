package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3" // the driver
)

// writerDSN asks for immediate transactions: one that reads first and then wants to write would
// otherwise fail at once when somebody else has written in between.
func writerDSN(path, synchronous string) string {
	return "file:" + uri(path) + "?mode=rw&_journal_mode=WAL&_synchronous=" + strings.ToUpper(synchronous) +
		"&_busy_timeout=5000&_foreign_keys=1&_txlock=immediate&_stmt_cache_size=32"
}

func readerDSN(path string) string {
	return "file:" + uri(path) + "?mode=ro&_query_only=1&_busy_timeout=5000&_stmt_cache_size=32"
}

// signDSN asks for a journal that is gone after each transaction: the first one either is in the file, or it is still empty.
func signDSN(path string) string {
	return "file:" + uri(path) + "?mode=rw&_journal_mode=DELETE&_synchronous=FULL&_busy_timeout=5000"
}

// sqliteDriver is the name of mattn's.
const sqliteDriver = "sqlite3"

func openPool(ctx context.Context, driver, dsn string, size int) (*sqlx.DB, error) {
	pool, err := sqlx.Open(driver, dsn)
	if err != nil {
		return nil, errCorrupt(err)
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, errCorrupt(err)
	}
	return pool, nil
}

// journalLimit is the size in bytes to which the write-ahead log is cut after it has been larger.
const journalLimit = 64 << 20

// A pragma is a setting that we rely on, with the value that it must read back as.
type pragma struct{ name, value string }

func writerPragmas(synchronous string) []pragma {
	level := map[string]string{"full": "2", "normal": "1"}[synchronous]
	return []pragma{
		{"journal_mode", "wal"}, {"synchronous", level}, {"busy_timeout", "5000"}, {"foreign_keys", "1"},
		{"query_only", "0"}, {"application_id", fmt.Sprint(applicationID)},
	}
}

func readerPragmas() []pragma {
	return []pragma{{"journal_mode", "wal"}, {"busy_timeout", "5000"}, {"query_only", "1"}}
}

// verifyPragmas reads settings back from every connection of a pool: the driver ignores an option
// that it does not know, a misspelt one for instance, without a word.
func verifyPragmas(ctx context.Context, pool *sqlx.DB, wanted []pragma) error {
	conns := make([]*sqlx.Conn, 0, pool.Stats().MaxOpenConnections)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close() // gives it back to the pool
		}
	}()
	for range cap(conns) { // held all at once, so that each is another one
		conn, err := pool.Connx(ctx)
		if err != nil {
			return errCorrupt(err)
		}
		conns = append(conns, conn)
		if err := verifyConn(ctx, conn, wanted); err != nil {
			return err
		}
	}
	return nil
}

func verifyConn(ctx context.Context, conn *sqlx.Conn, wanted []pragma) error {
	for _, p := range wanted {
		var got string
		if err := conn.GetContext(ctx, &got, "PRAGMA "+p.name); err != nil {
			return errCorrupt(err)
		}
		if got != p.value {
			return fmt.Errorf("cannot be used: %s is %s and not %s", p.name, got, p.value)
		}
	}
	return nil
}
