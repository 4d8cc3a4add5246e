package query

// Writer executes statements in a write transaction of a store. This package uses it for what both stores
// write alike.
//
// Statements must number their arguments $1, $2, … in the order of their first use, because SQLite takes $2
// for a name and binds names in that order.
type Writer interface {
	// Find scans the row that a statement returns into row, and reports whether there was one.
	Find(row any, statement string, args ...any) (bool, error)
	// Exec executes a statement.
	Exec(statement string, args ...any) error
	// DropLog deletes the parts of a run's log that start before an offset, and their terms in the search
	// index.
	DropLog(run, before int64) error
	// Index adds the terms of a part of a run's texts to the search index, or replaces them.
	Index(run, part int64, terms []string) error
}
