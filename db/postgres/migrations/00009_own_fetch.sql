-- +goose Up

-- Nodes fetch jobs by themselves now, and delete them when their runs start. What River's clients have left behind is
-- of no use, and none is left to make the jobs available that it wanted to try again.
DELETE FROM river_job WHERE kind LIKE 'maintenance:%' OR finalized_at IS NOT NULL;
UPDATE river_job SET state = 'available' WHERE state = 'retryable';
