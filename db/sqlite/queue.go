package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"runboard/app"
	"runboard/db/query"
)

var _ app.QueueStore = (*Store)(nil)

// dueRuns returns the query for the oldest due runs of a number of kinds. It probes the index for the oldest
// runs of each kind and merges them. The first two arguments are the time and the limit; the kinds follow.
func dueRuns(kinds int) string {
	scans := make([]string, kinds)
	for i := range scans {
		scans[i] = fmt.Sprintf(dueOfKind, i+3)
	}
	return "SELECT " + query.Columns + " FROM process_runs WHERE id IN (" +
		strings.Join(scans, " UNION ALL ") + ") ORDER BY id LIMIT ?2"
}

var dueOfKind = query.SQL(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
	WHERE kind = ?%d AND status = :created AND scheduled_at <= ?1 ORDER BY id LIMIT ?2)`)

// kindsAtOnce is how many kinds one statement looks for: SQLite limits a compound SELECT to some hundreds.
const kindsAtOnce = 100

// FetchDue implements app.QueueStore. The queue calls it constantly, so it uses no transaction and no
// deadline, which would cost more than the query; it reads no more than it returns.
func (s *Store) FetchDue(ctx context.Context, kinds []string, limit int) (runs []app.ProcessRun, err error) {
	for some := range slices.Chunk(kinds, kindsAtOnce) {
		args := []any{s.options.Now().UnixMilli(), limit}
		for _, kind := range some {
			args = append(args, kind)
		}
		ctx := context.WithoutCancel(ctx)
		found, err := query.ReadRuns(ctx, s.readers[app.ForQueue], dueRuns(len(some)), args...)
		if err != nil {
			return nil, query.Unavailable(err)
		}
		runs = append(runs, found...)
	}
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return cmp.Compare(a.ID, b.ID) })
	return runs[:min(len(runs), limit)], nil
}

// RequeueSeq implements app.QueueStore.
func (s *Store) RequeueSeq() int64 { return s.writer.requeueSeq.Load() }

// EnqueueSeq implements app.QueueStore.
func (s *Store) EnqueueSeq() int64 { return s.writer.enqueueSeq.Load() }
