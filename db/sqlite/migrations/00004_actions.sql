-- +goose Up

PRAGMA user_version = 4;

-- Finds the due runs of a kind without reading the others.
DROP INDEX process_runs_by_kind;
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, id, scheduled_at);

-- The bulk actions as JSON, by the run that performs them, with their progress. They go from the newest run
-- to the oldest; all runs with ids from next on are done. runs, left and more are the preview: runs that the
-- action would change, runs that it would skip, and whether there are more.
CREATE TABLE run_actions (
  run_id   INTEGER PRIMARY KEY,
  action   TEXT    NOT NULL,
  runs     INTEGER NOT NULL, -- that it would change when it was created, and that it would leave alone
  left     INTEGER NOT NULL,
  more     INTEGER NOT NULL CHECK (more IN (0, 1)),
  next     INTEGER NOT NULL,
  done     INTEGER NOT NULL,
  skipped  INTEGER NOT NULL
) STRICT;
