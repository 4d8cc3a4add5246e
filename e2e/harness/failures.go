package harness

import (
	"net/http"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/board"
)

// FailuresPath is the path of the failures page.
const FailuresPath = "/process_runs/failures"

// Failing starts a board with two commands, import and mail, whose errors differ from run to run.
func Failing(t *testing.T, change func(*board.Config)) *Program {
	t.Helper()
	return StartProgram(t, change, Commands(t,
		`import=sh -c 'echo "reading /data/$RUNBOARD_RUN_ID.csv"; echo "no customer $RUNBOARD_RUN_ID" >&2; exit 1'`,
		`mail=sh -c 'echo "connect to 10.0.0.$RUNBOARD_RUN_ID:25: refused"; exit 2'`)...)
}

// StartRunsOf creates runs of a kind, as the form of the page does.
func StartRunsOf(e *httpexpect.Expect, kind string, count int) {
	e.POST("/process_runs").WithFormField("count", count).WithFormField("kind", kind).Expect().Status(http.StatusSeeOther)
}
