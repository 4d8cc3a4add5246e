-- +goose Up

PRAGMA user_version = 6;

-- What happened to the runs of a kind within a step of time, so that nobody has to go through the runs to tell how
-- the board is doing. step is how long it is and at when it began, in milliseconds. queue_ms and run_ms say how long runs
-- waited and worked, see histogram.go.
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
