-- +goose Up

PRAGMA user_version = 6;

-- Statistics of the runs of a kind in one step of time, so that pages need not read the runs. step is the
-- length of the step and at its beginning, in milliseconds. queue_ms and run_ms are histograms of queue and
-- run times, see query/histogram.go.
CREATE TABLE rollups (
  step      INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  created   INTEGER NOT NULL,
  requeued  INTEGER NOT NULL,
  started   INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  queue_ms     BLOB    NOT NULL,
  run_ms     BLOB    NOT NULL,
  PRIMARY KEY (step, at, kind)
) STRICT, WITHOUT ROWID;
