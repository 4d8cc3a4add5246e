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
// runs of each kind and merges them. The first two arguments are the time and the limit; a name and a limit
// follow for each kind.
func dueRuns(kinds int) string {
	scans := make([]string, kinds)
	for i := range scans {
		scans[i] = fmt.Sprintf(dueOfKind, 2*i+3, 2*i+4)
	}
	return "SELECT " + query.Columns + " FROM process_runs WHERE id IN (" +
		strings.Join(scans, " UNION ALL ") + ") ORDER BY id LIMIT ?2"
}

var dueOfKind = query.SQL(`SELECT * FROM (SELECT id FROM process_runs INDEXED BY process_runs_by_kind
	WHERE kind = ?%[1]d AND status = :created AND scheduled_at <= ?1
		AND NOT EXISTS (SELECT 1 FROM paused_kinds WHERE kind = ?%[1]d) ORDER BY id LIMIT ?%[2]d)`)

// kindsAtOnce is how many kinds one statement looks for: SQLite limits a compound SELECT to some hundreds.
const kindsAtOnce = 100

// FetchDue implements app.QueueStore. The queue calls it constantly, so it uses no transaction and no
// deadline, which would cost more than the query; it reads hardly more than it returns.
func (s *Store) FetchDue(
	ctx context.Context, kinds []app.DueKind, limit int,
) (runs []app.ProcessRun, err error) {
	ctx = context.WithoutCancel(ctx)
	if kinds, err = s.withCreated(ctx, kinds); err != nil {
		return nil, query.Unavailable(err)
	}
	plain := slices.DeleteFunc(slices.Clone(kinds), func(kind app.DueKind) bool { return kind.PerKey > 0 })
	for some := range slices.Chunk(plain, kindsAtOnce) {
		found, err := s.dueOfKinds(ctx, some, limit)
		if err != nil {
			return nil, query.Unavailable(err)
		}
		runs = append(runs, found...)
	}
	for _, kind := range kinds {
		if kind.PerKey == 0 {
			continue
		}
		found, err := s.dueOfKeys(ctx, kind, limit)
		if err != nil {
			return nil, query.Unavailable(err)
		}
		runs = append(runs, found...)
	}
	sortByID(runs)
	return runs[:min(len(runs), limit)], nil
}

// fewKinds is how many kinds are probed without a look at which of them have created runs.
const fewKinds = 8

var kindsWithCreated = query.SQL(`SELECT value FROM json_each(?) AS wanted WHERE EXISTS (
	SELECT 1 FROM process_runs INDEXED BY process_runs_by_kind
		WHERE kind = wanted.value AND status = :created)`)

// withCreated returns those of kinds that have created runs, or all if they are few. Of a thousand kinds,
// most have none, and one probe for each costs much less than a query.
func (s *Store) withCreated(ctx context.Context, kinds []app.DueKind) ([]app.DueKind, error) {
	if len(kinds) <= fewKinds {
		return kinds, nil
	}
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.Name
	}
	var found []string
	err := query.Select(ctx, s.readers[app.ForQueue], &found, kindsWithCreated, query.JSONArray(names))
	if err != nil {
		return nil, err
	}
	hasCreated := make(map[string]bool, len(found))
	for _, name := range found {
		hasCreated[name] = true
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(kind app.DueKind) bool {
		return !hasCreated[kind.Name]
	}), nil
}

func sortByID(runs []app.ProcessRun) {
	slices.SortFunc(runs, func(a, b app.ProcessRun) int { return cmp.Compare(a.ID, b.ID) })
}

// dueOfKinds returns the oldest due runs of kinds whose concurrency keys do not matter.
func (s *Store) dueOfKinds(ctx context.Context, kinds []app.DueKind, limit int) ([]app.ProcessRun, error) {
	args := []any{s.options.Now().UnixMilli(), limit}
	for _, kind := range kinds {
		most := limit
		if kind.Limit > 0 {
			most = min(kind.Limit, limit)
		}
		args = append(args, kind.Name, most)
	}
	return query.ReadRuns(ctx, s.readers[app.ForQueue], dueRuns(len(kinds)), args...)
}

// RequeueSeq implements app.QueueStore.
func (s *Store) RequeueSeq() int64 { return s.writer.requeueSeq.Load() }

// EnqueueSeq implements app.QueueStore.
func (s *Store) EnqueueSeq() int64 { return s.writer.enqueueSeq.Load() }
