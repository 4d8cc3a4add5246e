-- +goose Up

-- What users have said about a failure group, and its last return: again_at is when a run failed with it after
-- it had been resolved, and quiet_since when one had failed with it before that. Times are milliseconds since
-- 1970, and 0 is none.
ALTER TABLE failures ADD COLUMN note        TEXT    NOT NULL DEFAULT '';
ALTER TABLE failures ADD COLUMN muted_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failures ADD COLUMN again_at    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE failures ADD COLUMN quiet_since INTEGER NOT NULL DEFAULT 0;

-- Every page asks how many failed runs are muted.
CREATE INDEX failures_muted ON failures (muted_until) WHERE muted_until > 0;
