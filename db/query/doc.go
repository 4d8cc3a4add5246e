// Package query holds what the stores in SQL databases share: how runs, logs, failures, bulk actions and
// statistics are laid out in tables, and how pages are read from them. Both stores embed a [Reader], which
// implements the reading methods of app.Store, and a [BulkActions]. Each store implements its other writes.
//
// # How a page is read
//
// [Reader.Page] answers "the newest 25 failed runs of kind backup". It reads everything in one snapshot, so
// that the numbers and the rows of a page agree:
//
//   - A snapshot (snapshot.go) is a read transaction. It keeps its first error, as bufio.Scanner does, so
//     that the reads below need not check errors one by one.
//   - [Dialect.Scans] (scan.go) turns the filter into index scans: here one, the failed runs of the kind. A
//     scan is a part of an index that is sorted by id. A filter without a status needs a scan for each of
//     the five.
//   - A list (list.go) is these scans with the conditions that no index has, such as times.
//   - page.go reads up to 26 runs from each scan, starts at the cursor of the query, and merges them by id.
//     The 26th says that there is another page. So a page costs the same anywhere in the list, however many
//     runs there are.
//   - What a row shows beside its columns is read for all rows of the page together: inputs (inputs.go), what
//     a run waits for (waiting.go), since when it is queued (queued.go), and the usual duration of its kind
//     (usual.go).
//
// The matches of a search, and of a filter by inputs, are in no single range of an index. A walk (walk.go)
// goes through the list part by part, and stops when it has looked at too many index rows; the page then has
// a cursor to continue from. There are two: a search (search.go) takes the parts in which the index of words
// has all words, and an intersection (intersection.go) those in which every input has its value.
//
// The SQL is the same for both databases, with "?" for arguments. Where they differ, a [Dialect] has the
// text, and a [Database] does what needs a connection.
package query
