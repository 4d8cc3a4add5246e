-- +goose Up

-- The number of waiting runs, sampled whenever statistics are saved: the last sample of a step, and the largest.
-- step and at are as in rollups.
CREATE TABLE waiting_samples (
  step    INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  peak    INTEGER NOT NULL,
  PRIMARY KEY (step, at)
) STRICT, WITHOUT ROWID;

-- Statistics also have steps of an hour and of six hours now. They begin with what the steps of ten minutes have.
-- Histograms cannot be added here, so these rows stay apart, and pages add them up.
INSERT INTO rollups
  SELECT longer.step, at, kind, node, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms
    FROM rollups, (SELECT 3600000 AS step UNION ALL SELECT 21600000) AS longer WHERE rollups.step = 600000;
