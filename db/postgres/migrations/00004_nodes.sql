-- +goose Up

-- node is the node that works on a started run or last did; 0 is none. reported identifies the newest
-- progress update that has been saved.
ALTER TABLE process_runs ADD COLUMN node bigint NOT NULL DEFAULT 0;
ALTER TABLE process_runs ADD COLUMN reported bigint NOT NULL DEFAULT 0;

-- The number of the newest batch of statistics that each node has saved.
CREATE TABLE saved_rollups (
  node  bigint PRIMARY KEY,
  batch bigint NOT NULL
);

-- From this migration on, nodes.seen_at is in the time of the database server. A node without a row is lost.
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

-- take_run_ids releases the lock however the statement ends, even if it is cancelled while it acquires the
-- lock. Unlocking a lock that the session does not hold only raises a warning.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION take_run_ids(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
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
