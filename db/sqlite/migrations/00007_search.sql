-- +goose Up

PRAGMA user_version = 7;

-- Open rebuilds the search index, see search.go: the program splits texts into words now, not the tokenizer
-- of SQLite.
DROP TABLE IF EXISTS run_search;
