// Package harness starts boards for end-to-end tests: in the process of the test, or as processes of the real
// program. With -postgres the boards keep their runs in PostgreSQL instead of SQLite files.
package harness
