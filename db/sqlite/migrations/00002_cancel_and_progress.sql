-- +goose Up

PRAGMA user_version = 2;

-- When a person asked a started run to stop; and how far its work says it has come (-1: it does not say).
ALTER TABLE process_runs ADD COLUMN cancel_requested_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE process_runs ADD COLUMN percent INTEGER NOT NULL DEFAULT -1 CHECK (percent BETWEEN -1 AND 100);
ALTER TABLE process_runs ADD COLUMN message TEXT NOT NULL DEFAULT '';

-- What happened to a run, by the version that it had afterwards. That it was created is in its row.
CREATE TABLE run_events (
  run_id  INTEGER NOT NULL,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  status  INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  attempt INTEGER NOT NULL,
  note    TEXT    NOT NULL,
  PRIMARY KEY (run_id, version)
) STRICT, WITHOUT ROWID;
