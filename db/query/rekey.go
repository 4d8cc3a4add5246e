package query

import (
	"context"

	"runboard/app"
)

// rekeyBatch is how many runs get their concurrency keys in one transaction.
const rekeyBatch = 500

// setKey sets the concurrency key of a run that has none. Its arguments are the key and the run.
const setKey = `UPDATE process_runs SET concurrency_key = $1 WHERE id = $2 AND concurrency_key = ''`

// Rekey computes the concurrency keys of the created runs of a kind that have none, because the kind did not
// count by keys when they were created. It calls save with the keys of some runs at a time.
func (r *Reader) Rekey(ctx context.Context, kind app.Kind, save func(keys map[int64]string) error) error {
	for after, more := int64(0), true; more; {
		keys := map[int64]string{}
		err := r.read(forLong(ctx), func(s *snapshot) {
			scan := s.dialect.scanKind(kind.Name, app.Created).and("concurrency_key = ''")
			in := IDRange{After: after, Before: allIDs.Before}
			runs := s.readRuns(scan.RunsSQL(true), scan.Args(in, rekeyBatch)...)
			ids := make([]int64, len(runs))
			for i, run := range runs {
				ids[i], after = run.ID, run.ID
			}
			inputs, err := s.dialect.inputsOf(s.ctx, s.q, ids...)
			s.fail(err)
			for _, id := range ids {
				keys[id] = kind.ConcurrencyKeyOf(inputs[id])
			}
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		if err := save(keys); err != nil {
			return err
		}
		more = len(keys) == rekeyBatch
	}
	return nil
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
