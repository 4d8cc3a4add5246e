-- +goose Up

PRAGMA user_version = 9;

-- The size in bytes of the log of each run, so that the total is known without reading the logs. finished_at
-- is when the run ended, and 0 while its log must stay. Triggers maintain the table in the transaction of
-- each change, so it is right after a crash and no statement that writes or deletes a log can miss it.
CREATE TABLE log_sizes (
  run_id      INTEGER PRIMARY KEY,
  bytes       INTEGER NOT NULL,
  finished_at INTEGER NOT NULL
) STRICT;
CREATE INDEX log_sizes_by_end ON log_sizes (finished_at, run_id) WHERE finished_at > 0;

INSERT INTO log_sizes (run_id, bytes, finished_at)
  SELECT run_id, sum(stop - start), coalesce((SELECT finished_at FROM process_runs WHERE id = run_id AND status IN (2, 3, 4)), 0)
  FROM run_logs GROUP BY run_id;

-- +goose StatementBegin
CREATE TRIGGER log_begins AFTER INSERT ON run_logs BEGIN
  INSERT INTO log_sizes (run_id, bytes, finished_at) VALUES (new.run_id, new.stop - new.start, 0)
    ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_grows AFTER UPDATE OF start, stop ON run_logs BEGIN
  UPDATE log_sizes SET bytes = bytes + (new.stop - new.start) - (old.stop - old.start) WHERE run_id = new.run_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_shrinks AFTER DELETE ON run_logs BEGIN
  UPDATE log_sizes SET bytes = bytes - (old.stop - old.start) WHERE run_id = old.run_id;
  DELETE FROM log_sizes WHERE run_id = old.run_id AND bytes <= 0;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_ends AFTER UPDATE OF status ON process_runs
WHEN new.status <> old.status AND (new.status > 1 OR old.status > 1) BEGIN
  UPDATE log_sizes SET finished_at = iif(new.status > 1, max(1, new.finished_at), 0) WHERE run_id = new.id;
END;
-- +goose StatementEnd
