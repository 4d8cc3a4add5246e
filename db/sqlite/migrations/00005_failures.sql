-- +goose Up

PRAGMA user_version = 5;

-- Failure groups: failed runs of one kind with the same error pattern, see app.Pattern. n is the number of
-- runs that are failed now.
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

-- The number of failures of each group in each hour, counted in hours since 1970.
CREATE TABLE failure_hours (
  failure INTEGER NOT NULL,
  hour    INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (failure, hour)
) STRICT, WITHOUT ROWID;

-- The failure group of a failed run; 0 for a run that is not failed.
ALTER TABLE process_runs ADD COLUMN failure INTEGER NOT NULL DEFAULT 0;
CREATE INDEX process_runs_by_failure ON process_runs (failure, id) WHERE failure > 0;

-- Triggers maintain n and the hours, so that no statement that changes or deletes a run can miss them.
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
