-- +goose Up

-- The header identifies the file: "Runb" in ASCII, and the number of the newest migration.
PRAGMA application_id = 0x52756e62;
PRAGMA user_version = 1;

-- Times are milliseconds since 1970 in UTC; 0 is "not yet". An integer is cheaper to write than a text and
-- has no time zone. AUTOINCREMENT: the id of a deleted last row must not be reused for another run.
CREATE TABLE process_runs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  kind        TEXT    NOT NULL,
  status      INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  version     INTEGER NOT NULL CHECK (version >= 1),
  attempt     INTEGER NOT NULL CHECK (attempt >= 0),
  crashes     INTEGER NOT NULL CHECK (crashes >= 0),
  fencing_token       INTEGER NOT NULL CHECK (fencing_token >= 0),
  error       TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  scheduled_at      INTEGER NOT NULL
) STRICT;

-- Finds the runs in a status among any number of others. The index includes completed runs: without them it
-- would be cheaper to write, but a page with few completed runs among millions would read the whole table and
-- delay all open pages.
CREATE INDEX process_runs_by_status ON process_runs (status, id, scheduled_at);

-- The number of runs in each status, saved in the transaction that changes them: counting five million rows
-- takes a second.
CREATE TABLE status_counts (
  status INTEGER PRIMARY KEY CHECK (status BETWEEN 0 AND 4),
  n      INTEGER NOT NULL CHECK (n >= 0)
) STRICT;
INSERT INTO status_counts (status, n) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);

-- The batch that each idempotency key created, so that a repeated request returns the same one.
CREATE TABLE idempotency_keys (
  key        TEXT    PRIMARY KEY,
  kind       TEXT    NOT NULL,
  count      INTEGER NOT NULL,
  first_id   INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
