package query

import "context"

// ErrorPart is the part number of the error of a run in the search index. The parts of its log have higher
// numbers.
const ErrorPart = 0

// reindexed is how many texts are in memory at once during a reindex.
const reindexed = 200

const (
	nextErrors = `SELECT id, kind, error FROM process_runs WHERE id > ? AND error <> '' ORDER BY id LIMIT ?`
	nextParts  = `SELECT run_id, part, start, stop, text, line_index, kind FROM run_logs JOIN process_runs ON process_runs.id = run_id
		WHERE (run_id, start) > (?, ?) ORDER BY run_id, start LIMIT ?`
)

// Reindex calls add with the terms of every text to fill an empty search index. part is ErrorPart or, for the
// log, LogPart.Part+1. It fails with the first error of add.
func Reindex(ctx context.Context, from Reader, add func(run, part int64, terms []string) error) error {
	if err := reindexErrors(ctx, from, add); err != nil {
		return err
	}
	return reindexLogs(ctx, from, add)
}

func reindexErrors(ctx context.Context, from Reader, add func(run, part int64, terms []string) error) error {
	for last := int64(0); ; {
		var some []Run
		if err := Select(ctx, from, &some, nextErrors, last, reindexed); err != nil || len(some) == 0 {
			return err
		}
		for _, run := range some {
			if last = run.ID; NeverSearched(run.Kind) {
				continue
			}
			if err := add(run.ID, ErrorPart, Terms(run.ID, run.Error)); err != nil {
				return err
			}
		}
	}
}

// keptPart is a row of run_logs with the kind of its run.
type keptPart struct {
	LogPart
	Run  int64  `db:"run_id"`
	Kind string `db:"kind"`
}

func reindexLogs(ctx context.Context, from Reader, add func(run, part int64, terms []string) error) error {
	for before := (keptPart{LogPart: LogPart{Start: -1}}); ; {
		var some []keptPart
		if err := Select(ctx, from, &some, nextParts, before.Run, before.Start, reindexed); err != nil || len(some) == 0 {
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

func reindexPart(part, before keptPart, add func(run, part int64, terms []string) error) error {
	if NeverSearched(part.Kind) {
		return nil
	}
	written := WrittenPart{Text: part.Text, Revisions: part.Revisions}
	if part.Run == before.Run && part.Start == before.Stop {
		written.Before = before.Text
	}
	terms, err := written.Terms(part.Run)
	if err != nil {
		return err
	}
	return add(part.Run, part.Part+1, terms)
}
