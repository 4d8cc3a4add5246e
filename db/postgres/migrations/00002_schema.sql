-- +goose Up

-- Migration 1 is the schema of River, see migrate.go.

-- Times are milliseconds since 1970 in UTC, and 0 is none. Kinds compare byte by byte, regardless of the
-- locale of the database. A status is the number of an app.Status: 0 created, 1 started, 2 completed,
-- 3 failed, 4 cancelled.

-- SQLite names this type so. The statements that both stores share cast to it.
CREATE DOMAIN blob AS bytea;

-- The runs. Most rows change twice, hence the fillfactor.
CREATE TABLE process_runs (
  id                  bigint   PRIMARY KEY,
  kind                text     COLLATE "C" NOT NULL,
  status              smallint NOT NULL CHECK (status BETWEEN 0 AND 4),
  version             bigint   NOT NULL CHECK (version >= 1),
  attempt             integer  NOT NULL CHECK (attempt >= 0),
  crashes             integer  NOT NULL CHECK (crashes >= 0),
  fencing_token       bigint   NOT NULL CHECK (fencing_token >= 0),
  error               text     NOT NULL,
  created_at          bigint   NOT NULL,
  updated_at          bigint   NOT NULL,
  started_at          bigint   NOT NULL DEFAULT 0,
  finished_at         bigint   NOT NULL DEFAULT 0,
  scheduled_at        bigint   NOT NULL DEFAULT 0,
  cancel_requested_at bigint   NOT NULL DEFAULT 0,
  percent             smallint NOT NULL DEFAULT -1 CHECK (percent BETWEEN -1 AND 100), -- -1: none reported
  message             text     NOT NULL DEFAULT '',
  failure             bigint   NOT NULL DEFAULT 0, -- the failure group of a failed run, otherwise 0
  inputs              smallint NOT NULL DEFAULT 0, -- the number of inputs that have a value
  concurrency_key     text     COLLATE "C" NOT NULL DEFAULT '',
  job                 bigint   NOT NULL,           -- the newest River job of the run
  node                bigint   NOT NULL DEFAULT 0, -- works on the started run, or did last; 0 is none
  progress_id         bigint   NOT NULL DEFAULT 0, -- identifies the newest progress update that was saved
  sort_id             bigint   GENERATED ALWAYS AS (id) STORED -- in the indexes that follow
) WITH (fillfactor = 80, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

-- The indexes use sort_id instead of the primary key, so that the planner cannot walk the latter: when it
-- underestimates the number of other runs, it would read all of them to find the newest runs in a status.
CREATE INDEX process_runs_by_status ON process_runs (status, sort_id);
CREATE INDEX process_runs_by_kind ON process_runs (kind, status, sort_id);
CREATE INDEX process_runs_by_failure ON process_runs (failure, sort_id) WHERE failure > 0;
CREATE INDEX process_runs_by_key ON process_runs (kind, concurrency_key, status, sort_id)
  WHERE status <= 1 AND concurrency_key <> '';
CREATE INDEX process_runs_cancel_requested ON process_runs (id) WHERE status = 1 AND cancel_requested_at > 0;

-- allocate_run_ids returns the first of n consecutive ids. A row lock would block all other requests until
-- this one commits; the advisory lock is held only while the ids are taken. The lock is released however the
-- statement ends, even if it is cancelled while it acquires the lock: unlocking a lock that the session does
-- not hold only raises a warning.
CREATE SEQUENCE process_run_ids AS bigint;
-- +goose StatementBegin
CREATE FUNCTION allocate_run_ids(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE first bigint;
BEGIN
  BEGIN
    PERFORM pg_advisory_lock('process_run_ids'::regclass::oid::bigint);
    first := nextval('process_run_ids');
    PERFORM setval('process_run_ids', first + n - 1);
    PERFORM pg_advisory_unlock('process_run_ids'::regclass::oid::bigint);
  EXCEPTION WHEN query_canceled OR others THEN
    PERFORM pg_advisory_unlock('process_run_ids'::regclass::oid::bigint);
    RAISE;
  END;
  RETURN first;
END $$;
-- +goose StatementEnd

-- The number of runs in each status, as the sum of many rows: connections spread over the slots, because
-- writers of one row would wait for each other's commits. Triggers maintain them, so that no statement can
-- miss them.
CREATE TABLE run_counts (
  slot      integer PRIMARY KEY,
  created   bigint NOT NULL,
  started   bigint NOT NULL,
  completed bigint NOT NULL,
  failed    bigint NOT NULL,
  cancelled bigint NOT NULL
) WITH (fillfactor = 20);

CREATE VIEW status_counts (status, n) AS
  SELECT each.status, each.n FROM
    (SELECT coalesce(sum(created), 0)::bigint AS created, coalesce(sum(started), 0)::bigint AS started,
      coalesce(sum(completed), 0)::bigint AS completed, coalesce(sum(failed), 0)::bigint AS failed,
      coalesce(sum(cancelled), 0)::bigint AS cancelled FROM run_counts) AS sums,
    LATERAL (VALUES (0, created), (1, started), (2, completed), (3, failed), (4, cancelled)) AS each (status, n);

-- +goose StatementBegin
CREATE FUNCTION count_slot() RETURNS integer LANGUAGE sql VOLATILE AS $$ SELECT pg_backend_pid() % 256 $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION count_inserted_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts AS kept
    SELECT count_slot(), count(*) FILTER (WHERE status = 0), count(*) FILTER (WHERE status = 1),
      count(*) FILTER (WHERE status = 2), count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4) FROM inserted
    ON CONFLICT (slot) DO UPDATE SET created = kept.created + excluded.created,
      started = kept.started + excluded.started, completed = kept.completed + excluded.completed,
      failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
  RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION count_deleted_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts AS kept
    SELECT count_slot(), -count(*) FILTER (WHERE status = 0), -count(*) FILTER (WHERE status = 1),
      -count(*) FILTER (WHERE status = 2), -count(*) FILTER (WHERE status = 3), -count(*) FILTER (WHERE status = 4)
      FROM deleted HAVING count(*) > 0
    ON CONFLICT (slot) DO UPDATE SET created = kept.created + excluded.created,
      started = kept.started + excluded.started, completed = kept.completed + excluded.completed,
      failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
  RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION count_updated_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO run_counts AS kept
    SELECT count_slot(), coalesce(sum(n) FILTER (WHERE status = 0), 0),
      coalesce(sum(n) FILTER (WHERE status = 1), 0), coalesce(sum(n) FILTER (WHERE status = 2), 0),
      coalesce(sum(n) FILTER (WHERE status = 3), 0), coalesce(sum(n) FILTER (WHERE status = 4), 0)
      FROM (SELECT after.status, 1 AS n FROM after JOIN before USING (id) WHERE after.status <> before.status
        UNION ALL
        SELECT before.status, -1 FROM after JOIN before USING (id) WHERE after.status <> before.status) AS moved
      HAVING count(*) > 0
    ON CONFLICT (slot) DO UPDATE SET created = kept.created + excluded.created,
      started = kept.started + excluded.started, completed = kept.completed + excluded.completed,
      failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER run_counts_insert AFTER INSERT ON process_runs REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION count_inserted_runs();
CREATE TRIGGER run_counts_delete AFTER DELETE ON process_runs REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION count_deleted_runs();
CREATE TRIGGER run_counts_update AFTER UPDATE ON process_runs REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION count_updated_runs();

-- The history of a run: one row for each change, with the version of the run after it. The creation has no
-- row, because the run itself records it.
CREATE TABLE run_events (
  run_id  bigint   NOT NULL,
  version bigint   NOT NULL,
  at      bigint   NOT NULL,
  status  smallint NOT NULL CHECK (status BETWEEN 0 AND 4),
  attempt integer  NOT NULL,
  note    text     NOT NULL,
  PRIMARY KEY (run_id, version)
);

-- The logs of runs, in parts of some KB. start and stop are offsets in the run's log; line_index holds the
-- length and stream of each line.
CREATE TABLE run_logs (
  run_id     bigint NOT NULL,
  start      bigint NOT NULL CHECK (start >= 0),
  stop       bigint NOT NULL CHECK (stop > start),
  part       bigint NOT NULL, -- counts from 0
  text       text   NOT NULL,
  line_index bytea  NOT NULL,
  PRIMARY KEY (run_id, start)
);

-- The size in bytes of the log of each run, so that the total is known without reading the logs. finished_at
-- is when the run finished, and 0 while its log must stay. Triggers maintain the table in the transaction of
-- each change. There is no row with the total: all nodes would change it and wait for each other.
CREATE TABLE log_sizes (
  run_id      bigint PRIMARY KEY,
  bytes       bigint NOT NULL,
  finished_at bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX log_sizes_by_end ON log_sizes (finished_at, run_id) WHERE finished_at > 0;

-- +goose StatementBegin
CREATE FUNCTION log_sizes_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log_sizes AS known (run_id, bytes, finished_at)
    SELECT run_id, sum(stop - start), 0 FROM inserted GROUP BY run_id ORDER BY run_id
    ON CONFLICT (run_id) DO UPDATE SET bytes = known.bytes + excluded.bytes;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_sizes_insert AFTER INSERT ON run_logs REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION log_sizes_insert();

-- +goose StatementBegin
CREATE FUNCTION log_sizes_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET bytes = bytes + (new.stop - new.start) - (old.stop - old.start) WHERE run_id = new.run_id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_sizes_update AFTER UPDATE OF start, stop ON run_logs
  FOR EACH ROW EXECUTE FUNCTION log_sizes_update();

-- +goose StatementBegin
CREATE FUNCTION log_sizes_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET bytes = log_sizes.bytes - sums.bytes
    FROM (SELECT run_id, sum(stop - start) AS bytes FROM deleted GROUP BY run_id) AS sums
    WHERE log_sizes.run_id = sums.run_id;
  DELETE FROM log_sizes WHERE bytes <= 0 AND run_id IN (SELECT run_id FROM deleted);
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_sizes_delete AFTER DELETE ON run_logs REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION log_sizes_delete();

-- +goose StatementBegin
CREATE FUNCTION log_sizes_finish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_sizes SET finished_at = CASE WHEN new.status > 1 THEN greatest(1, new.finished_at) ELSE 0 END
    WHERE run_id = new.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER log_sizes_finish AFTER UPDATE OF status ON process_runs FOR EACH ROW
  WHEN (new.status <> old.status AND (new.status > 1 OR old.status > 1)) EXECUTE FUNCTION log_sizes_finish();

-- The search index: the words of errors (part 0) and of the parts of logs (from 1). The program splits texts
-- and removes accents, because in the database the result would depend on its locale. Every search reads the
-- pending list of the GIN index, so it is kept short. Statistics are off: terms begin with a block number, and
-- those of old runs mislead the planner about the newest ones.
CREATE TABLE run_search (
  run_id bigint   NOT NULL,
  part   bigint   NOT NULL,
  words  tsvector NOT NULL,
  PRIMARY KEY (run_id, part)
);
CREATE INDEX run_search_by_word ON run_search USING gin (words) WITH (gin_pending_list_limit = 512);
ALTER TABLE run_search ALTER COLUMN words SET STATISTICS 0;

-- Several statements clear errors, so a trigger removes them from the index.
-- +goose StatementBegin
CREATE FUNCTION run_search_clear_error() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM run_search WHERE run_id = old.id AND part = 0;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER run_search_clear_error AFTER UPDATE OF error ON process_runs
  FOR EACH ROW WHEN (old.error <> '' AND new.error <> old.error) EXECUTE FUNCTION run_search_clear_error();

-- The values of the inputs of runs, in the order of their ordinal: one row for each value, so that an input of
-- type choices has several. match_key is app.InputKey of the value. Secrets have a row without value and match_key,
-- which stays when the secret is gone. sort_id is in the index for the reason given at process_runs.
CREATE TABLE run_inputs (
  run_id    bigint  NOT NULL,
  ordinal   integer NOT NULL,
  name      text    COLLATE "C" NOT NULL,
  type      text    NOT NULL,
  value     text    NOT NULL,
  match_key text    COLLATE "C",
  sort_id   bigint  GENERATED ALWAYS AS (run_id) STORED,
  PRIMARY KEY (run_id, ordinal)
);
CREATE INDEX run_inputs_by_value ON run_inputs (name, match_key, sort_id) WHERE match_key IS NOT NULL;

-- The secret inputs of runs that have not finished, encrypted by an app.SecretBox.
CREATE TABLE run_secrets (
  run_id bigint NOT NULL,
  name   text   COLLATE "C" NOT NULL,
  value  bytea  NOT NULL,
  PRIMARY KEY (run_id, name)
);

-- Triggers delete the secrets of a run when it finishes, and its inputs with the run, so that no statement can
-- miss them.
-- +goose StatementBegin
CREATE FUNCTION drop_secrets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM run_secrets WHERE run_id = old.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER run_secrets_finish AFTER UPDATE OF status ON process_runs
  FOR EACH ROW WHEN (new.inputs > 0 AND new.status > 1) EXECUTE FUNCTION drop_secrets();
-- +goose StatementBegin
CREATE FUNCTION drop_inputs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM run_inputs WHERE run_id = old.id;
  DELETE FROM run_secrets WHERE run_id = old.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER run_inputs_delete AFTER DELETE ON process_runs
  FOR EACH ROW WHEN (old.inputs > 0) EXECUTE FUNCTION drop_inputs();

-- The jobs of runs that must wait, for a limit or because their kind is paused, are pending. The index is on an
-- expression so that the planner does not walk the primary key instead, with the jobs of all other runs.
CREATE INDEX river_job_pending ON river_job (kind, (id + 0)) WHERE state = 'pending';

-- The kinds whose created runs wait until they are resumed.
CREATE TABLE paused_kinds (
  kind      text   COLLATE "C" PRIMARY KEY,
  paused_at bigint NOT NULL
);

-- The batch that each idempotency key created, so that a repeated request returns the same one.
CREATE TABLE idempotency_keys (
  key        text    COLLATE "C" PRIMARY KEY,
  kind       text    NOT NULL,
  count      integer NOT NULL,
  inputs     text    NOT NULL, -- a hash of the inputs, or '' without any
  first_id   bigint  NOT NULL,
  created_at bigint  NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The bulk actions as JSON, by the run that performs them. The first three numbers are the preview: runs that
-- the action would change, runs that it would skip, and whether there are more. The action goes from the
-- newest run to the oldest; all runs with ids from next on are done.
CREATE TABLE bulk_actions (
  run_id          bigint  PRIMARY KEY,
  action          text    NOT NULL,
  preview_runs    bigint  NOT NULL,
  preview_skipped bigint  NOT NULL,
  preview_more    boolean NOT NULL,
  next            bigint  NOT NULL,
  done            bigint  NOT NULL,
  skipped         bigint  NOT NULL
);

-- Failure groups: failed runs of one kind with the same error pattern.
CREATE TABLE failure_patterns (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind     text   COLLATE "C" NOT NULL,
  pattern  text   COLLATE "C" NOT NULL,
  example  text   NOT NULL,
  first_at bigint NOT NULL,
  UNIQUE (kind, pattern)
);

-- The number of runs of a group that are failed now, and the number that failed in each hour, counted in
-- hours since 1970. Both are sums over the slots, as in run_counts.
CREATE TABLE failure_counts (
  failure bigint  NOT NULL,
  slot    integer NOT NULL,
  n       bigint  NOT NULL,
  last_at bigint  NOT NULL,
  PRIMARY KEY (failure, slot)
);
CREATE TABLE failure_hour_counts (
  failure bigint  NOT NULL,
  hour    bigint  NOT NULL,
  slot    integer NOT NULL,
  n       bigint  NOT NULL,
  PRIMARY KEY (failure, hour, slot)
);

CREATE VIEW failures AS
  SELECT id, kind, pattern, example, first_at, coalesce(sums.last_at, first_at) AS last_at, coalesce(sums.n, 0) AS n
    FROM failure_patterns,
    LATERAL (SELECT max(last_at) AS last_at, sum(n)::bigint AS n FROM failure_counts WHERE failure = id) AS sums;
CREATE VIEW failure_hours AS
  SELECT failure, hour, sum(n)::bigint AS n FROM failure_hour_counts GROUP BY failure, hour;

-- +goose StatementBegin
CREATE FUNCTION count_failure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF old.failure > 0 THEN
    INSERT INTO failure_counts AS kept VALUES (old.failure, count_slot(), -1, 0)
      ON CONFLICT (failure, slot) DO UPDATE SET n = kept.n - 1;
  END IF;
  IF tg_op = 'UPDATE' AND new.failure > 0 THEN
    INSERT INTO failure_counts AS kept VALUES (new.failure, count_slot(), 1, new.finished_at)
      ON CONFLICT (failure, slot) DO UPDATE SET n = kept.n + 1, last_at = greatest(kept.last_at, excluded.last_at);
    INSERT INTO failure_hour_counts AS kept VALUES (new.failure, new.finished_at / 3600000, count_slot(), 1)
      ON CONFLICT (failure, hour, slot) DO UPDATE SET n = kept.n + 1;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER failures_update AFTER UPDATE OF failure ON process_runs
  FOR EACH ROW WHEN (new.failure <> old.failure) EXECUTE FUNCTION count_failure();
CREATE TRIGGER failures_delete AFTER DELETE ON process_runs
  FOR EACH ROW WHEN (old.failure > 0) EXECUTE FUNCTION count_failure();

-- The live nodes. seen_at is the last heartbeat, in the time of the database server. A node without a row is
-- lost.
CREATE TABLE nodes (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seen_at bigint NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION server_millis() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION node_is_alive(node bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM nodes WHERE nodes.id = node)
$$;
-- +goose StatementEnd

-- job_has_node reports whether River will still deliver a job, or a live node holds it. The name of a River
-- client is the number of its node.
-- +goose StatementBegin
CREATE FUNCTION job_has_node(state river_job_state, attempted_by text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE state
    WHEN 'running' THEN EXISTS (SELECT FROM nodes WHERE nodes.id::text = attempted_by[cardinality(attempted_by)])
    ELSE state IN ('available', 'pending', 'retryable', 'scheduled')
  END
$$;
-- +goose StatementEnd

-- The kinds that nodes handle, and when a node last announced each.
CREATE TABLE worker_kinds (
  node    bigint NOT NULL,
  kind    text   COLLATE "C" NOT NULL,
  seen_at bigint NOT NULL,
  PRIMARY KEY (node, kind)
);

-- Statistics of the runs of a kind in one step of time, by the node that recorded them. step is the length of
-- the step and at its beginning, in milliseconds. queue_ms and run_ms are histograms of queue and run times.
CREATE TABLE rollups (
  step      bigint NOT NULL,
  at        bigint NOT NULL,
  kind      text   COLLATE "C" NOT NULL,
  node      bigint NOT NULL,
  created   bigint NOT NULL,
  requeued  bigint NOT NULL,
  started   bigint NOT NULL,
  completed bigint NOT NULL,
  failed    bigint NOT NULL,
  cancelled bigint NOT NULL,
  queue_ms  bytea  NOT NULL,
  run_ms    bytea  NOT NULL,
  PRIMARY KEY (step, at, kind, node)
);

-- The number of the newest batch of statistics that each node has saved.
CREATE TABLE saved_rollups (
  node  bigint PRIMARY KEY,
  batch bigint NOT NULL
);
