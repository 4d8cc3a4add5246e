package query

import "context"

// ErrorPart is the part number of the error of a run in the search index. The parts of its log have higher
// numbers.
const ErrorPart = 0

// reindexBatch is how many texts are in memory at once during a reindex.
const reindexBatch = 200

const (
	nextErrorsSQL = `SELECT id, kind, error FROM process_runs WHERE id > ? AND error <> '' ORDER BY id LIMIT ?`
	nextPartsSQL  = `SELECT run_id, part, start, stop, text, line_index, kind
		FROM run_logs JOIN process_runs ON process_runs.id = run_id
		WHERE (run_id, start) > (?, ?) ORDER BY run_id, start LIMIT ?`
)

// AddTerms adds the terms of a text of a run to the search index. part is ErrorPart or, for the log,
// LogPart.Part+1.
type AddTerms func(run, part int64, terms []string) error

// Reindex calls add for every text to fill an empty search index. It fails with the first error of add.
func Reindex(ctx context.Context, q Queryer, add AddTerms) error {
	if err := reindexErrors(ctx, q, add); err != nil {
		return err
	}
	return reindexLogs(ctx, q, add)
}

func reindexErrors(ctx context.Context, q Queryer, add AddTerms) error {
	for last := int64(0); ; {
		var some []Run
		if err := Select(ctx, q, &some, nextErrorsSQL, last, reindexBatch); err != nil || len(some) == 0 {
			return err
		}
		for _, run := range some {
			last = run.ID
			if NeverSearched(run.Kind) {
				continue
			}
			if err := add(run.ID, ErrorPart, Terms(run.ID, run.Error)); err != nil {
				return err
			}
		}
	}
}

// storedPart is a row of run_logs with the kind of its run.
type storedPart struct {
	LogPart
	Run  int64  `db:"run_id"`
	Kind string `db:"kind"`
}

func reindexLogs(ctx context.Context, q Queryer, add AddTerms) error {
	before := storedPart{LogPart: LogPart{Start: -1}}
	for {
		var some []storedPart
		err := Select(ctx, q, &some, nextPartsSQL, before.Run, before.Start, reindexBatch)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, part := range some {
			if err := reindexPart(part, before, add); err != nil {
				return err
			}
			before = part
		}
	}
}

func reindexPart(part, before storedPart, add AddTerms) error {
	if NeverSearched(part.Kind) {
		return nil
	}
	written := WrittenPart{Text: part.Text, LineIndex: part.LineIndex}
	if part.Run == before.Run && part.Start == before.Stop {
		written.Before = before.Text
	}
	terms, err := written.Terms(part.Run)
	if err != nil {
		return err
	}
	return add(part.Run, part.Part+1, terms)
}
