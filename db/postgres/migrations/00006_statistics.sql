-- +goose Up

-- The number of waiting runs, sampled whenever a node saves statistics: the last sample of a step, and the
-- largest. step and at are as in rollups.
CREATE TABLE waiting_samples (
  step    bigint NOT NULL,
  at      bigint NOT NULL,
  waiting bigint NOT NULL,
  peak    bigint NOT NULL,
  PRIMARY KEY (step, at)
) WITH (fillfactor = 70);

-- Statistics also have steps of an hour and of six hours now. They begin with what the steps of ten minutes have.
-- Histograms cannot be added here, so these rows stay apart, and pages add them up.
INSERT INTO rollups
  SELECT longer.step, at, kind, node, created, requeued, started, completed, failed, cancelled, queue_ms, run_ms
    FROM rollups, (VALUES (3600000), (21600000)) AS longer (step) WHERE rollups.step = 600000;

-- The number of runs that a node works on at once. 0 is not known: older versions do not say it.
ALTER TABLE nodes ADD COLUMN workers integer NOT NULL DEFAULT 0;
