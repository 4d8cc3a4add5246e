-- +goose Up

-- What users have said about a failure group, and its last return: again_at is when a run failed with it after
-- it had been resolved, and quiet_since when one had failed with it before that. Times are milliseconds since
-- 1970, and 0 is none.
ALTER TABLE failure_patterns
  ADD COLUMN note        text   NOT NULL DEFAULT '',
  ADD COLUMN muted_until bigint NOT NULL DEFAULT 0,
  ADD COLUMN again_at    bigint NOT NULL DEFAULT 0,
  ADD COLUMN quiet_since bigint NOT NULL DEFAULT 0;

-- Every page asks how many failed runs are muted.
CREATE INDEX failure_patterns_muted ON failure_patterns (muted_until) WHERE muted_until > 0;

CREATE OR REPLACE VIEW failures AS
  SELECT id, kind, pattern, example, first_at, coalesce(sums.last_at, first_at) AS last_at, coalesce(sums.n, 0) AS n,
      note, muted_until, again_at, quiet_since
    FROM failure_patterns,
    LATERAL (SELECT max(last_at) AS last_at, sum(n)::bigint AS n FROM failure_counts WHERE failure = id) AS sums;
