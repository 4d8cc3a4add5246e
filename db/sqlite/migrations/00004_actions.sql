-- +goose Up

PRAGMA user_version = 4;

-- Finds the waiting runs of a kind that are due without reading the others.
DROP INDEX process_runs_by_kind;
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, id, scheduled_at);

-- What runs do that act on many others, as JSON, and how far they have come: they go from the newest run to the
-- oldest, and have dealt with all from next on.
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
