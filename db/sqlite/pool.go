package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	_ "github.com/mattn/go-sqlite3" // the driver
)

// The drivers of both pools cache prepared statements, because preparing one costs three times as much as
// running it. The writer has about forty.

// writerDSN makes transactions immediate. A deferred one that reads and then writes fails at once if another
// connection has written in between.
func writerDSN(path, synchronous string) string {
	return "file:" + uri(path) + "?mode=rw&_journal_mode=WAL&_synchronous=" + strings.ToUpper(synchronous) +
		"&_busy_timeout=5000&_foreign_keys=1&_txlock=immediate&_stmt_cache_size=64"
}

func readerDSN(path string) string {
	return "file:" + uri(path) + "?mode=ro&_query_only=1&_busy_timeout=5000&_stmt_cache_size=32"
}

// rollbackDSN uses a rollback journal, which is deleted after each transaction: after a crash, the file
// either has the first transaction or is still empty.
func rollbackDSN(path string) string {
	return "file:" + uri(path) + "?mode=rw&_journal_mode=DELETE&_synchronous=FULL&_busy_timeout=5000"
}

// sqliteDriver is the name that mattn/go-sqlite3 registers.
const sqliteDriver = "sqlite3"

// openPool opens a pool of at most size connections and tests it with a ping.
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

// journalLimit is the size in bytes to which SQLite truncates a larger write-ahead log.
const journalLimit = 64 << 20

// pragma is a setting that the store relies on, with the value that it must read back as.
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

// verifyPragmas reads the settings back from every connection of a pool, because the driver silently ignores
// an option that it does not know, such as a misspelt one.
func verifyPragmas(ctx context.Context, pool *sqlx.DB, wanted []pragma) error {
	conns := make([]*sqlx.Conn, 0, pool.Stats().MaxOpenConnections)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close() // returns it to the pool
		}
	}()
	for range cap(conns) { // held together, so that each is a different one
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
