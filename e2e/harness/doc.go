// Package harness starts boards for the tests from outside: within the process of a test, or as processes of the real
// program. With -postgres the boards keep their runs in PostgreSQL instead of SQLite files.
package harness
