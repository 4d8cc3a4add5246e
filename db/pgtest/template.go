package pgtest

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Template is a database without rows that tests get copies of, one after another: to empty a copy takes a
// quarter of the time to create one. Any goroutine may use a Template.
type Template struct {
	create func() (schema, error)

	mu   sync.Mutex
	idle []string // the URLs of empty copies that no test uses
}

// schema is the schema of a template.
type schema struct {
	server      string // URL
	name        string // of the template
	fingerprint string
}

// NewTemplate returns a template. The first Copy creates it, and calls fill with its URL to create the
// schema. fill must leave no connection.
func NewTemplate(fill func(address string) error) *Template {
	return &Template{create: sync.OnceValues(func() (schema, error) {
		server, err := shared()
		if err != nil {
			return schema{}, err
		}
		address, err := create(server.url, "template0")
		if err != nil {
			return schema{}, err
		}
		if err := fill(address); err != nil {
			return schema{}, err
		}
		s := schema{server: server.url, name: Name(address)}
		s.fingerprint, err = fingerprint(address)
		return s, err
	})}
}

// Copy returns the URL of a database without rows, which belongs to t until t ends. t may change its schema.
func (m *Template) Copy(t TB) string {
	t.Helper()
	schema, err := m.create()
	if err != nil {
		t.Fatalf("cannot create a template: %v", err)
	}
	address := m.take()
	if address == "" {
		if address, err = create(schema.server, schema.name); err != nil {
			t.Fatalf("cannot create a database: %v", err)
		}
	}
	t.Cleanup(func() {
		if err := m.put(schema, address); err != nil {
			t.Fatalf("cannot drop the database: %v", err)
		}
	})
	return address
}

// take returns an idle copy, or "".
func (m *Template) take() (address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := len(m.idle) - 1; last >= 0 {
		m.idle, address = m.idle[:last], m.idle[last]
	}
	return address
}

// put empties a copy for the next test. It drops the copy instead if a test has changed its schema, or if the
// server outlives the tests.
func (m *Template) put(schema schema, address string) error {
	if givenURL != "" || empty(address, schema.fingerprint) != nil {
		return drop(schema.server, Name(address))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, address)
	return nil
}

var errChanged = errors.New("the schema has changed")

// empty truncates the tables of a copy, except those of migrations, and restarts its sequences. First it ends
// the connections of the last test, which a server may notice late that their client has closed.
//
// It does not delete the rows: the dead ones, and the pages of indexes that were split for them, would make
// the next test's reads cost up to half as much again.
func empty(address, unchanged string) error {
	if now, err := fingerprint(address); err != nil || now != unchanged {
		return errors.Join(errChanged, err)
	}
	return execute(address, `DO $$
DECLARE name text;
BEGIN
	PERFORM pg_terminate_backend(pid, 60000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
	SET LOCAL session_replication_role = replica; -- no triggers
	FOR name IN SELECT format('%I', tablename) FROM pg_tables
		WHERE schemaname = 'public' AND tablename NOT IN ('goose_db_version', 'river_migration') LOOP
		IF pg_relation_size(name::regclass) > 0 THEN
			EXECUTE 'TRUNCATE ' || name || ' CASCADE';
		END IF;
	END LOOP;
	FOR name IN SELECT format('%I', sequencename) FROM pg_sequences
		WHERE schemaname = 'public' AND sequencename <> 'goose_db_version_id_seq' LOOP
		EXECUTE 'ALTER SEQUENCE ' || name || ' RESTART';
	END LOOP;
END $$`)
}

// fingerprint returns a hash of the functions, triggers, columns, indexes, settings and migrations of a
// database.
func fingerprint(address string) (hash string, err error) {
	err = connect(address, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
			SELECT format('function %s %s', oid, xmin) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
			UNION ALL SELECT format('trigger %s %s', oid, xmin) FROM pg_trigger
			UNION ALL SELECT format('relation %s %s', oid, reloptions) FROM pg_class
				WHERE relnamespace = 'public'::regnamespace
			UNION ALL SELECT format('column %s %s %s', attrelid, attname, atttypid) FROM pg_attribute
				JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
			UNION ALL SELECT format('setting %s', setconfig) FROM pg_db_role_setting
				JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
			UNION ALL SELECT query_to_xml('SELECT * FROM goose_db_version', false, false, '')::text
				WHERE to_regclass('goose_db_version') IS NOT NULL) AS lines (line)`).Scan(&hash)
	})
	return hash, err
}
