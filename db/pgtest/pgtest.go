// Package pgtest gives tests a real PostgreSQL: a server that the first test starts and that ends with the
// test process, or the server that TEST_DATABASE_URL names.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// TB is the part of testing.TB that the package needs. Property tests provide no more.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// patience bounds waiting for the server.
const patience = time.Minute

// givenURL is the URL of a server that outlives the tests, or empty.
var givenURL = os.Getenv("TEST_DATABASE_URL")

// shared is the server for all tests of the process that need none of their own. The reference keeps its
// pipes open: a server stops when they are closed.
var shared = sync.OnceValues(func() (*Cluster, error) {
	if givenURL != "" {
		return &Cluster{url: givenURL}, nil
	}
	return start()
})

// URL returns the URL of a new, empty database, which is dropped when t ends.
func URL(t TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatalf("%v", err)
	}
	address, err := create(server.url, "template0")
	if err != nil {
		t.Fatalf("cannot create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(server.url, Name(address)); err != nil {
			t.Fatalf("cannot drop the database: %v", err)
		}
	})
	return address
}

// Name returns the name of the database of a URL.
func Name(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || len(parsed.Path) < 2 {
		return ""
	}
	return parsed.Path[1:]
}

var databases atomic.Int64

// create creates a database. Its name is unique, even if several test processes share the server.
func create(server, template string) (address string, err error) {
	name := fmt.Sprintf("runboard_test_%d_%d", os.Getpid(), databases.Add(1))
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE "+template+" ENCODING 'UTF8'"); err != nil {
		return "", err
	}
	parsed, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	parsed.Path = "/" + name
	return parsed.String(), nil
}

func drop(server, name string) error {
	return execute(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// execute executes SQL on a connection of its own.
func execute(address, sql string) error {
	return connect(address, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql)
		return err
	})
}

// connect calls f with a connection, and closes it afterwards.
func connect(address string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return f(ctx, conn)
}
