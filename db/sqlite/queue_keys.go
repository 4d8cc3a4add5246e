package sqlite

import (
	"context"
	"math"
	"slices"

	"runboard/app"
	"runboard/db/query"
)

// The runs of a kind with concurrency keys are found by way of the table waiting_keys, which has the oldest
// created run of each key: a million runs of a key that is full cost one step, and a thousand keys that are
// not cost only as many as are needed.
var (
	waitingKeys = `SELECT concurrency_key, first_id FROM waiting_keys INDEXED BY waiting_keys_by_id
		WHERE kind = ?1 AND first_id > ?2 AND concurrency_key NOT IN (SELECT value FROM json_each(?3))
			AND NOT EXISTS (SELECT 1 FROM paused_kinds WHERE kind = ?1)
		ORDER BY first_id LIMIT ?4`
	dueOfKeys = query.SQL(`SELECT ` + query.Columns + ` FROM process_runs WHERE id IN (
		SELECT due.id FROM json_each(?1) AS wanted CROSS JOIN process_runs AS due ON due.id IN (
			SELECT id FROM process_runs INDEXED BY process_runs_by_key
			WHERE kind = ?2 AND concurrency_key = wanted.value AND concurrency_key <> ''
				AND status = :created AND scheduled_at <= ?3 ORDER BY id LIMIT ?4))`)
	// dueWithoutKey are runs that were created before their kind had concurrency keys. It stops at the first
	// run that has one, so it never walks along others.
	dueWithoutKey = query.SQL(`SELECT ` + query.Columns + ` FROM process_runs INDEXED BY process_runs_by_kind
		WHERE kind = ?1 AND status = :created AND scheduled_at <= ?2 AND concurrency_key = ''
			AND id < coalesce((SELECT min(first_id) FROM waiting_keys WHERE kind = ?1), ?3)
			AND NOT EXISTS (SELECT 1 FROM paused_kinds WHERE kind = ?1)
		ORDER BY id LIMIT ?4`)
)

// waitingKey is a concurrency key of created runs, and the oldest of them.
type waitingKey struct {
	Key   string `db:"concurrency_key"`
	First int64  `db:"first_id"`
}

// dueOfKeys returns the oldest due runs of a kind, at most PerKey with each key.
func (s *Store) dueOfKeys(ctx context.Context, kind app.DueKind, limit int) ([]app.ProcessRun, error) {
	runs, err := s.dueWithoutKey(ctx, kind)
	if err != nil {
		return nil, err
	}
	for after, more := int64(0), true; more; {
		var keys []waitingKey
		err := query.Select(ctx, s.readers[app.ForQueue], &keys, waitingKeys,
			kind.Name, after, query.JSONArray(kind.FullKeys), limit)
		if err != nil {
			return nil, err
		}
		found, err := s.dueOf(ctx, kind, keys)
		if err != nil {
			return nil, err
		}
		runs = append(runs, found...)
		sortByID(runs)
		if more = len(keys) == limit; more {
			after = keys[len(keys)-1].First
			// The runs of later keys are all younger than this. Usually it is true at once; but the oldest
			// runs of a key may wait for their next attempt.
			more = len(runs) < limit || runs[limit-1].ID > after
		}
	}
	return runs, nil
}

// dueOf returns the oldest due runs of some keys, in any order.
func (s *Store) dueOf(ctx context.Context, kind app.DueKind, keys []waitingKey) ([]app.ProcessRun, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	wanted := make([]string, len(keys))
	for i, key := range keys {
		wanted[i] = key.Key
	}
	return query.ReadRuns(ctx, s.readers[app.ForQueue], dueOfKeys,
		query.JSONArray(wanted), kind.Name, s.options.Now().UnixMilli(), kind.PerKey)
}

// dueWithoutKey returns the oldest due runs of a kind that were created before the kind had keys.
func (s *Store) dueWithoutKey(ctx context.Context, kind app.DueKind) ([]app.ProcessRun, error) {
	if slices.Contains(kind.FullKeys, "") {
		return nil, nil
	}
	return query.ReadRuns(ctx, s.readers[app.ForQueue], dueWithoutKey,
		kind.Name, s.options.Now().UnixMilli(), int64(math.MaxInt64), kind.PerKey)
}
