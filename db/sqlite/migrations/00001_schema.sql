-- +goose Up

-- The application id in the header of the file: "Runb" in ASCII.
PRAGMA application_id = 0x52756e62;

-- Times are milliseconds since 1970 in UTC, and 0 is none: an integer is cheaper to write than a text and has
-- no time zone. A status is the number of an app.Status: 0 created, 1 started, 2 completed, 3 failed,
-- 4 cancelled.

-- The runs. AUTOINCREMENT: the id of a deleted last row must not be reused for another run.
CREATE TABLE process_runs (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  kind                TEXT    NOT NULL,
  status              INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  version             INTEGER NOT NULL CHECK (version >= 1),
  attempt             INTEGER NOT NULL CHECK (attempt >= 0),
  crashes             INTEGER NOT NULL CHECK (crashes >= 0),
  fencing_token       INTEGER NOT NULL CHECK (fencing_token >= 0),
  error               TEXT    NOT NULL,
  created_at          INTEGER NOT NULL,
  updated_at          INTEGER NOT NULL,
  started_at          INTEGER NOT NULL,
  finished_at         INTEGER NOT NULL,
  scheduled_at        INTEGER NOT NULL,
  cancel_requested_at INTEGER NOT NULL DEFAULT 0,
  percent             INTEGER NOT NULL DEFAULT -1 CHECK (percent BETWEEN -1 AND 100), -- -1: none reported
  message             TEXT    NOT NULL DEFAULT '',
  failure             INTEGER NOT NULL DEFAULT 0, -- the failure group of a failed run, otherwise 0
  inputs              INTEGER NOT NULL DEFAULT 0, -- the number of inputs that have a value
  concurrency_key     TEXT    NOT NULL DEFAULT ''
) STRICT;

-- Finds the runs in a status among any number of others. The index includes completed runs: without them it
-- would be cheaper to write, but a page with few completed runs among millions would read the whole table and
-- delay all open pages.
CREATE INDEX process_runs_by_status ON process_runs (status, id, scheduled_at);

-- Finds the runs of a kind, with or without a status, and the due ones among them.
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, id, scheduled_at);

CREATE INDEX process_runs_by_failure ON process_runs (failure, id) WHERE failure > 0;

-- Finds the created runs with a concurrency key. waiting_keys has the oldest of each key, so that the queue finds a
-- run that may start behind a million runs of a key that is full. Triggers maintain it, so that no statement can
-- miss it; only finished runs are deleted. Runs without a key cost one comparison more in each trigger.
CREATE INDEX process_runs_by_key ON process_runs (kind, concurrency_key, id, scheduled_at)
  WHERE status = 0 AND concurrency_key <> '';
CREATE TABLE waiting_keys (
  kind            TEXT    NOT NULL,
  concurrency_key TEXT    NOT NULL,
  first_id        INTEGER NOT NULL,
  PRIMARY KEY (kind, concurrency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_keys_by_id ON waiting_keys (kind, first_id);

-- +goose StatementBegin
CREATE TRIGGER waiting_keys_create AFTER INSERT ON process_runs
WHEN new.concurrency_key <> '' AND new.status = 0 BEGIN
  INSERT INTO waiting_keys (kind, concurrency_key, first_id) VALUES (new.kind, new.concurrency_key, new.id)
    ON CONFLICT DO UPDATE SET first_id = excluded.first_id WHERE excluded.first_id < first_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_keys_return AFTER UPDATE OF status ON process_runs
WHEN new.concurrency_key <> '' AND new.status = 0 AND old.status <> 0 BEGIN
  INSERT INTO waiting_keys (kind, concurrency_key, first_id) VALUES (new.kind, new.concurrency_key, new.id)
    ON CONFLICT DO UPDATE SET first_id = excluded.first_id WHERE excluded.first_id < first_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_keys_rekey AFTER UPDATE OF concurrency_key ON process_runs
WHEN new.concurrency_key <> '' AND new.status = 0 BEGIN
  INSERT INTO waiting_keys (kind, concurrency_key, first_id) VALUES (new.kind, new.concurrency_key, new.id)
    ON CONFLICT DO UPDATE SET first_id = excluded.first_id WHERE excluded.first_id < first_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER waiting_keys_leave AFTER UPDATE OF status ON process_runs
WHEN new.concurrency_key <> '' AND new.status <> 0 AND old.status = 0 BEGIN
  DELETE FROM waiting_keys
    WHERE kind = old.kind AND concurrency_key = old.concurrency_key AND first_id = old.id;
  INSERT INTO waiting_keys (kind, concurrency_key, first_id)
    SELECT kind, concurrency_key, id FROM process_runs INDEXED BY process_runs_by_key
      WHERE kind = old.kind AND concurrency_key = old.concurrency_key AND concurrency_key <> '' AND status = 0
      ORDER BY id LIMIT 1
    ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd

-- The number of runs in each status, saved in the transaction that changes them: counting five million rows
-- takes a second.
CREATE TABLE status_counts (
  status INTEGER PRIMARY KEY CHECK (status BETWEEN 0 AND 4),
  n      INTEGER NOT NULL CHECK (n >= 0)
) STRICT;
INSERT INTO status_counts (status, n) VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0);

-- The history of a run: one row for each change, with the version of the run after it. The creation has no
-- row, because the run itself records it.
CREATE TABLE run_events (
  run_id  INTEGER NOT NULL,
  version INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  status  INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  attempt INTEGER NOT NULL,
  note    TEXT    NOT NULL,
  PRIMARY KEY (run_id, version)
) STRICT, WITHOUT ROWID;

-- The logs of runs, in parts of some KB: one row for each line would cost more than the lines, and one row
-- for each run would be rewritten with every line. start and stop are offsets in the run's log; line_index
-- holds the length and stream of each line.
CREATE TABLE run_logs (
  run_id     INTEGER NOT NULL,
  start      INTEGER NOT NULL CHECK (start >= 0),
  stop       INTEGER NOT NULL CHECK (stop > start),
  part       INTEGER NOT NULL, -- counts from 0
  text       TEXT    NOT NULL,
  line_index BLOB    NOT NULL,
  PRIMARY KEY (run_id, start)
) STRICT;

-- The size in bytes of the log of each run, so that the total is known without reading the logs. finished_at
-- is when the run finished, and 0 while its log must stay.
CREATE TABLE log_sizes (
  run_id      INTEGER PRIMARY KEY,
  bytes       INTEGER NOT NULL,
  finished_at INTEGER NOT NULL
) STRICT;
CREATE INDEX log_sizes_by_end ON log_sizes (finished_at, run_id) WHERE finished_at > 0;

-- Triggers maintain the sizes in the transaction of each change, so they are right after a crash and no
-- statement that writes or deletes a log can miss them.
-- +goose StatementBegin
CREATE TRIGGER log_sizes_insert AFTER INSERT ON run_logs BEGIN
  INSERT INTO log_sizes (run_id, bytes, finished_at) VALUES (new.run_id, new.stop - new.start, 0)
    ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_sizes_update AFTER UPDATE OF start, stop ON run_logs BEGIN
  UPDATE log_sizes SET bytes = bytes + (new.stop - new.start) - (old.stop - old.start) WHERE run_id = new.run_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_sizes_delete AFTER DELETE ON run_logs BEGIN
  UPDATE log_sizes SET bytes = bytes - (old.stop - old.start) WHERE run_id = old.run_id;
  DELETE FROM log_sizes WHERE run_id = old.run_id AND bytes <= 0;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_sizes_finish AFTER UPDATE OF status ON process_runs
WHEN new.status <> old.status AND (new.status > 1 OR old.status > 1) BEGIN
  UPDATE log_sizes SET finished_at = iif(new.status > 1, max(1, new.finished_at), 0) WHERE run_id = new.id;
END;
-- +goose StatementEnd

-- The values of the inputs of runs, in the order of their ordinal: one row for each value, so that an input of
-- type choices has several. match_key is app.InputKey of the value. Secrets have a row without value and match_key,
-- which stays when the secret is gone.
CREATE TABLE run_inputs (
  run_id    INTEGER NOT NULL,
  ordinal   INTEGER NOT NULL,
  name      TEXT    NOT NULL,
  type      TEXT    NOT NULL,
  value     TEXT    NOT NULL,
  match_key TEXT,
  PRIMARY KEY (run_id, ordinal)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_inputs_by_value ON run_inputs (name, match_key, run_id) WHERE match_key IS NOT NULL;

-- The secret inputs of runs that have not finished, encrypted by an app.SecretBox.
CREATE TABLE run_secrets (
  run_id INTEGER NOT NULL,
  name   TEXT    NOT NULL,
  value  BLOB    NOT NULL,
  PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

-- Triggers delete the secrets of a run when it finishes, and its inputs with the run, so that no statement can
-- miss them. The secrets are overwritten first: SQLite leaves what it deletes in the file.
-- +goose StatementBegin
CREATE TRIGGER run_secrets_finish AFTER UPDATE OF status ON process_runs
WHEN new.inputs > 0 AND new.status > 1 BEGIN
  UPDATE run_secrets SET value = zeroblob(length(value)) WHERE run_id = new.id;
  DELETE FROM run_secrets WHERE run_id = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER run_inputs_delete AFTER DELETE ON process_runs WHEN old.inputs > 0 BEGIN
  DELETE FROM run_inputs WHERE run_id = old.id;
  DELETE FROM run_secrets WHERE run_id = old.id;
END;
-- +goose StatementEnd

-- The kinds whose created runs wait until they are resumed.
CREATE TABLE paused_kinds (
  kind      TEXT    PRIMARY KEY,
  paused_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The batch that each idempotency key created, so that a repeated request returns the same one.
CREATE TABLE idempotency_keys (
  key        TEXT    PRIMARY KEY,
  kind       TEXT    NOT NULL,
  count      INTEGER NOT NULL,
  inputs     TEXT    NOT NULL, -- a hash of the inputs, or '' without any
  first_id   INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The bulk actions as JSON, by the run that performs them. The first three numbers are the preview: runs that
-- the action would change, runs that it would skip, and whether there are more. The action goes from the
-- newest run to the oldest; all runs with ids from next on are done.
CREATE TABLE bulk_actions (
  run_id          INTEGER PRIMARY KEY,
  action          TEXT    NOT NULL,
  preview_runs    INTEGER NOT NULL,
  preview_skipped INTEGER NOT NULL,
  preview_more    INTEGER NOT NULL CHECK (preview_more IN (0, 1)),
  next            INTEGER NOT NULL,
  done            INTEGER NOT NULL,
  skipped         INTEGER NOT NULL
) STRICT;

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

-- Triggers maintain n and the hours, so that no statement that changes or deletes a run can miss them.
-- +goose StatementBegin
CREATE TRIGGER failures_increment AFTER UPDATE OF failure ON process_runs
WHEN new.failure <> old.failure AND new.failure > 0 BEGIN
  UPDATE failures SET n = n + 1, last_at = max(last_at, new.finished_at) WHERE id = new.failure;
  INSERT INTO failure_hours (failure, hour, n) VALUES (new.failure, new.finished_at / 3600000, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER failures_decrement AFTER UPDATE OF failure ON process_runs
WHEN new.failure <> old.failure AND old.failure > 0 BEGIN
  UPDATE failures SET n = n - 1 WHERE id = old.failure;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER failures_decrement_deleted AFTER DELETE ON process_runs WHEN old.failure > 0 BEGIN
  UPDATE failures SET n = n - 1 WHERE id = old.failure;
END;
-- +goose StatementEnd

-- Statistics of the runs of a kind in one step of time, so that pages need not read the runs. step is the
-- length of the step and at its beginning, in milliseconds. queue_ms and run_ms are histograms of queue and
-- run times, see query/histogram.go. There is one node, 0.
CREATE TABLE rollups (
  step      INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  kind      TEXT    NOT NULL,
  node      INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  requeued  INTEGER NOT NULL,
  started   INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  failed    INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  queue_ms  BLOB    NOT NULL,
  run_ms    BLOB    NOT NULL,
  PRIMARY KEY (step, at, kind, node)
) STRICT, WITHOUT ROWID;

-- The search index run_search is not created here, because a build without FTS5 cannot: see search.go.
