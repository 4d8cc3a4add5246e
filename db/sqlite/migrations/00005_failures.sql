-- +goose Up

PRAGMA user_version = 5;

-- What failures have in common: the pattern of their errors, see app.Pattern. n is how many runs are failed now.
CREATE TABLE failures (
  id       INTEGER PRIMARY KEY,
  kind     TEXT    NOT NULL,
  pattern  TEXT    NOT NULL,
  example  TEXT    NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  n        INTEGER NOT NULL DEFAULT 0 CHECK (n >= 0),
  UNIQUE (kind, pattern)
) STRICT;

-- How many of them there were in each hour, counted from 1970.
CREATE TABLE failure_hours (
  failure INTEGER NOT NULL,
  hour    INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (failure, hour)
) STRICT, WITHOUT ROWID;

-- What a failed run has in common with others; 0 for all that have not failed.
ALTER TABLE process_runs ADD COLUMN failure INTEGER NOT NULL DEFAULT 0;
CREATE INDEX process_runs_by_failure ON process_runs (failure, id) WHERE failure > 0;

-- By triggers, so that no way of changing or dropping a run can forget it.
-- +goose StatementBegin
CREATE TRIGGER failure_comes AFTER UPDATE OF failure ON process_runs WHEN new.failure <> old.failure AND new.failure > 0 BEGIN
  UPDATE failures SET n = n + 1, last_at = max(last_at, new.finished_at) WHERE id = new.failure;
  INSERT INTO failure_hours (failure, hour, n) VALUES (new.failure, new.finished_at / 3600000, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER failure_goes AFTER UPDATE OF failure ON process_runs WHEN new.failure <> old.failure AND old.failure > 0 BEGIN
  UPDATE failures SET n = n - 1 WHERE id = old.failure;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER failure_is_dropped AFTER DELETE ON process_runs WHEN old.failure > 0 BEGIN
  UPDATE failures SET n = n - 1 WHERE id = old.failure;
END;
-- +goose StatementEnd
