package query

import "testing"

func TestSQL_NamesStatuses(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		"status = :created AND true":             "status = 0 AND true",
		"status IN (:created, :started)":         "status IN (0, 1)",
		"status IN (:final)":                     "status IN (2, 3, 4)",
		"(:completed, :failed, :cancelled)":      "(2, 3, 4)",
		"args->>'run'::bigint = $1 AND id = ANY": "args->>'run'::bigint = $1 AND id = ANY",
	} {
		if got := SQL(statement); got != want {
			t.Errorf("SQL(%q) = %q, want %q", statement, got, want)
		}
	}
}
