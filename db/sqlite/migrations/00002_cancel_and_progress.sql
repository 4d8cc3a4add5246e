-- +goose Up

PRAGMA user_version = 2;

-- When a user requested cancellation of a started run (0: not requested), and its reported progress in
-- percent (-1: none reported).
ALTER TABLE process_runs ADD COLUMN cancel_requested_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE process_runs ADD COLUMN percent INTEGER NOT NULL DEFAULT -1 CHECK (percent BETWEEN -1 AND 100);
ALTER TABLE process_runs ADD COLUMN message TEXT NOT NULL DEFAULT '';

-- The history of a run: one row for each change, with the version of the run after it. The creation has no
-- row, because the run itself records it.
CREATE TABLE run_events (
  run_id  INTEGER NOT NULL,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  status  INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  attempt INTEGER NOT NULL,
  note    TEXT    NOT NULL,
  PRIMARY KEY (run_id, version)
) STRICT, WITHOUT ROWID;
