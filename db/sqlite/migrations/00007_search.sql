-- +goose Up

PRAGMA user_version = 7;

-- The index of words is made anew when the file is opened, see search.go: the words are split by the program now.
DROP TABLE IF EXISTS run_search;
