-- +goose Up

-- Finds the runs that finished in a window of time. started_at tells which of them started before a time, and
-- whether they started at all, without reading the runs. Runs finish in the order of the index, so that it
-- grows at its end. The condition is no range, which SQLite would use instead of that of a query.
CREATE INDEX process_runs_by_end ON process_runs (finished_at, started_at) INCLUDE (id) WHERE finished_at <> 0;
