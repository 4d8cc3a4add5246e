-- +goose Up

PRAGMA user_version = 3;

-- The logs of runs, in parts of some KB: one row for each line would cost more than the lines, and one row
-- for each run would be rewritten with every line. start and stop are offsets in the run's log; line_index
-- holds the length and stream of each line.
CREATE TABLE run_logs (
  run_id INTEGER NOT NULL,
  start  INTEGER NOT NULL CHECK (start >= 0),
  stop   INTEGER NOT NULL CHECK (stop > start),
  part   INTEGER NOT NULL, -- their number, from 0
  text   TEXT    NOT NULL,
  line_index  BLOB    NOT NULL,
  PRIMARY KEY (run_id, start)
) STRICT;

-- Finds the runs of a kind, with or without a status.
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, id);
