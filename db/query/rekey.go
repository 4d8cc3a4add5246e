package query

import (
	"context"

	"runboard/app"
)

// rekeyBatch is how many created runs of a kind Rekey looks at in one transaction.
const rekeyBatch = 2000

// setKey sets the concurrency key of a run that has none. Its arguments are the key and the run.
const setKey = `UPDATE process_runs SET concurrency_key = $1 WHERE id = $2 AND concurrency_key = ''`

// Rekey computes the concurrency keys of the created runs of a kind that have none, because the kind did not
// count by keys when they were created. It calls save with the keys of some runs at a time.
func (r *Reader) Rekey(ctx context.Context, kind app.Kind, save func(keys map[int64]string) error) error {
	for after, more := int64(0), true; more; {
		var keys map[int64]string
		err := r.read(forLong(ctx), func(s *snapshot) { keys, after, more = s.missingKeys(kind, after) })
		if err == nil && len(keys) > 0 {
			err = save(keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// missingKeys returns the keys of those of the next created runs of a kind that have none, the last run it
// looked at, and whether there are more.
func (s *snapshot) missingKeys(kind app.Kind, after int64) (keys map[int64]string, last int64, more bool) {
	scan := s.dialect.scanKind(kind.Name, app.Created)
	args := scan.Args(IDRange{After: after, Before: allIDs.Before}, rekeyBatch)
	var part struct{ Last, N int64 }
	s.get(&part, "SELECT coalesce(max(id), 0) AS last, COUNT(*) AS n FROM ("+
		scan.selectSQL("id", true)+") AS part", args...)
	var ids []int64
	s.all(&ids, "SELECT id FROM ("+scan.selectSQL("id, concurrency_key", true)+
		") AS part WHERE concurrency_key = ''", args...)
	if s.err != nil || len(ids) == 0 {
		return nil, part.Last, part.N == rekeyBatch
	}
	inputs, err := s.dialect.inputsOf(s.ctx, s.q, ids...)
	s.fail(err)
	keys = make(map[int64]string, len(ids))
	for _, id := range ids {
		keys[id] = kind.ConcurrencyKeyOf(inputs[id])
	}
	return keys, part.Last, part.N == rekeyBatch
}

// SetKeys sets the concurrency keys of runs that have none.
func SetKeys(w Writer, keys map[int64]string) error {
	for run, key := range keys {
		if err := w.Exec(setKey, key, run); err != nil {
			return err
		}
	}
	return nil
}

// KeyForRetry returns the concurrency key of a run that is retried. If the run has none because its kind did
// not count by keys when it was created, KeyForRetry sets it.
func (d Dialect) KeyForRetry(
	ctx context.Context, q Queryer, w Writer, definitions app.KindSource, run app.ProcessRun,
) (string, error) {
	if definitions == nil || run.ConcurrencyKey != "" {
		return run.ConcurrencyKey, nil
	}
	kind, _ := definitions.Kind(run.Kind)
	if len(kind.ConcurrencyKey) == 0 {
		return "", nil
	}
	inputs, err := d.inputsOf(ctx, q, run.ID)
	if err != nil {
		return "", err
	}
	key := kind.ConcurrencyKeyOf(inputs[run.ID])
	return key, w.Exec(setKey, key, run.ID)
}
