-- +goose Up

-- The number of the first line that begins in the part, so that line numbers are known without reading the
-- parts before it, and stay the same when these are deleted. It is 0 in parts that an older version wrote.
ALTER TABLE run_logs ADD COLUMN first_line INTEGER NOT NULL DEFAULT 0;
