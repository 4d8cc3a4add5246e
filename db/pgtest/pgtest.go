// Package pgtest gives tests a real PostgreSQL: a server of their own, which is there when the first test asks for it
// and gone when the test process is, or the one that TEST_DATABASE_URL names.
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

// TB is what is needed of a test. A test of properties has no more than this.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// patience is how long a server may take; only a failing test waits so long.
const patience = time.Minute

// shared is the server of all tests of a process that do not need one of their own. It is kept here, because a server is
// gone when nobody can give it orders any more.
var shared = sync.OnceValues(func() (*Cluster, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		return &Cluster{url: given}, nil
	}
	return start()
})

// URL returns the address of a new, empty database, which is dropped when t ends.
func URL(t TB) string {
	t.Helper()
	return Copy(t, "template0")
}

// Copy is URL for a database that is a copy of another one on the same server, to which nobody is connected.
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

// Template makes a database once in a process, for Copy, and returns its name. fill is given its address.
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

// Name is that of the database at an address.
func Name(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || len(parsed.Path) < 2 {
		return ""
	}
	return parsed.Path[1:]
}

var databases atomic.Int64

// create makes a database. Its name is nobody else's, also where several test processes share a server.
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
