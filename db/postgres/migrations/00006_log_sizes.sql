-- +goose Up

-- The size in bytes of the log of each run, so that the total is known without reading the logs. finished_at
-- is when the run ended, and 0 while its log must stay. Triggers maintain the table in the transaction of
-- each change. There is no row with the total: all nodes would change it and wait for each other.
CREATE TABLE log_sizes (
  run_id      bigint PRIMARY KEY,
  bytes       bigint NOT NULL,
  finished_at bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX log_sizes_by_end ON log_sizes (finished_at, run_id) WHERE finished_at > 0;

INSERT INTO log_sizes (run_id, bytes, finished_at)
  SELECT run_id, sum(stop - start), coalesce((SELECT finished_at FROM process_runs WHERE id = run_id AND status IN (2, 3, 4)), 0)
  FROM run_logs GROUP BY run_id;

-- +goose StatementBegin
CREATE FUNCTION log_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log_sizes AS known (run_id, bytes, finished_at) SELECT run_id, sum(stop - start), 0 FROM fresh GROUP BY run_id ORDER BY run_id
    ON CONFLICT (run_id) DO UPDATE SET bytes = known.bytes + excluded.bytes;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_begins AFTER INSERT ON run_logs REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION log_begins();

-- +goose StatementBegin
CREATE FUNCTION log_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET bytes = bytes + (new.stop - new.start) - (old.stop - old.start) WHERE run_id = new.run_id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_grows AFTER UPDATE OF start, stop ON run_logs FOR EACH ROW EXECUTE FUNCTION log_grows();

-- +goose StatementBegin
CREATE FUNCTION log_shrinks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET bytes = log_sizes.bytes - gone.bytes
    FROM (SELECT run_id, sum(stop - start) AS bytes FROM gone GROUP BY run_id) AS gone WHERE log_sizes.run_id = gone.run_id;
  DELETE FROM log_sizes WHERE bytes <= 0 AND run_id IN (SELECT run_id FROM gone);
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_shrinks AFTER DELETE ON run_logs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION log_shrinks();

-- +goose StatementBegin
CREATE FUNCTION log_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET finished_at = CASE WHEN new.status > 1 THEN greatest(1, new.finished_at) ELSE 0 END WHERE run_id = new.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_ends AFTER UPDATE OF status ON process_runs FOR EACH ROW
  WHEN (new.status <> old.status AND (new.status > 1 OR old.status > 1)) EXECUTE FUNCTION log_ends();
