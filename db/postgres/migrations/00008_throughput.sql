-- +goose Up

-- Nothing searches jobs by arguments, metadata or kind alone. These indexes of River were a quarter of the WAL
-- of a run.
DROP INDEX river_job_args_index;
DROP INDEX river_job_metadata_index;
DROP INDEX river_job_kind;

-- The counts change by the difference between the rows after and before a statement, so that the two need not
-- be joined. The log sizes of finished runs follow in the same trigger: one for each row cost as much as the
-- update of the row.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION count_updated_runs() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  moved record;
BEGIN
  SELECT coalesce(sum(n) FILTER (WHERE status = 0), 0) AS created,
      coalesce(sum(n) FILTER (WHERE status = 1), 0) AS started,
      coalesce(sum(n) FILTER (WHERE status = 2), 0) AS completed,
      coalesce(sum(n) FILTER (WHERE status = 3), 0) AS failed,
      coalesce(sum(n) FILTER (WHERE status = 4), 0) AS cancelled,
      coalesce(bool_or(status > 1), false) AS finished
    INTO moved
    FROM (SELECT status, 1 AS n FROM after UNION ALL SELECT status, -1 FROM before) AS rows;
  IF moved.created <> 0 OR moved.started <> 0 OR moved.completed <> 0 OR moved.failed <> 0 OR moved.cancelled <> 0 THEN
    INSERT INTO run_counts AS kept
      VALUES (count_slot(), moved.created, moved.started, moved.completed, moved.failed, moved.cancelled)
      ON CONFLICT (slot) DO UPDATE SET created = kept.created + excluded.created,
        started = kept.started + excluded.started, completed = kept.completed + excluded.completed,
        failed = kept.failed + excluded.failed, cancelled = kept.cancelled + excluded.cancelled;
  END IF;
  IF moved.finished THEN
    UPDATE log_sizes SET finished_at = CASE WHEN after.status > 1 THEN greatest(1, after.finished_at) ELSE 0 END
      FROM after JOIN before USING (id)
      WHERE log_sizes.run_id = id AND after.status <> before.status AND (after.status > 1 OR before.status > 1);
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
DROP TRIGGER log_sizes_finish ON process_runs;
DROP FUNCTION log_sizes_finish;
