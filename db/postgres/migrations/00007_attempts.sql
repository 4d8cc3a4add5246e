-- +goose Up

-- The length of the run's log when an attempt started: its lines begin there. -1 for other events, and for the
-- starts before this migration.
ALTER TABLE run_events ADD COLUMN log_offset bigint NOT NULL DEFAULT -1;
