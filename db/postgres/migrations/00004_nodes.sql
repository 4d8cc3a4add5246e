-- +goose Up

-- node works on a started run, or did so last; 0 is none. reported is the newest report that has been written down.
ALTER TABLE process_runs ADD COLUMN node bigint NOT NULL DEFAULT 0;
ALTER TABLE process_runs ADD COLUMN reported bigint NOT NULL DEFAULT 0;

-- The newest batch of rollups that each node has written down.
CREATE TABLE saved_rollups (
  node  bigint PRIMARY KEY,
  batch bigint NOT NULL
);

-- nodes.seen_at is by the clock of the server from now on. A node without a row is lost.
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

-- A job that waits to be handed out, or that a living node has got, will still be dealt with. The name of a River client
-- is the number of its node.
-- +goose StatementBegin
CREATE FUNCTION job_has_node(state river_job_state, attempted_by text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT CASE state
    WHEN 'running' THEN EXISTS (SELECT FROM nodes WHERE nodes.id::text = attempted_by[cardinality(attempted_by)])
    ELSE state IN ('available', 'pending', 'retryable', 'scheduled')
  END
$$;
-- +goose StatementEnd

-- The lock is released however the statement ends: also when it is cancelled at the moment in which it gets the lock. To
-- release a lock that it has not got is only warned of.
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
