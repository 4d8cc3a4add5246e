// Package pgtest gives tests a real PostgreSQL: a server that the first test starts and that ends with the test process, or
// the server that TEST_DATABASE_URL names.
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

// shared is the server for all tests of the process that need none of their own. The reference keeps its pipes open: a
// server stops when they are closed.
var shared = sync.OnceValues(func() (*Cluster, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		return &Cluster{url: given}, nil
	}
	return start()
})

// URL returns the URL of a new, empty database, which is dropped when t ends.
func URL(t TB) string {
	t.Helper()
	return Copy(t, "template0")
}

// Copy is like URL, for a copy of the database template on the same server. template must have no open connections.
func Copy(t TB, template string) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatalf("%v", err)
	}
	address, err := create(server.url, template)
	if err != nil {
		t.Fatalf("no database could be made: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(server.url, Name(address)); err != nil {
			t.Fatalf("the database could not be dropped: %v", err)
		}
	})
	return address
}

// Template creates a database for Copy once per process, calls fill with its URL, and returns its name.
func Template(fill func(address string) error) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		server, err := shared()
		if err != nil {
			return "", err
		}
		address, err := create(server.url, "template0")
		if err != nil {
			return "", err
		}
		return Name(address), fill(address)
	})
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

func execute(server, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, text)
	return err
}
