-- +goose Up

PRAGMA user_version = 4;

-- Finds the waiting runs of a kind that are due without reading the others.
DROP INDEX process_runs_by_kind;
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, id, due_at);
