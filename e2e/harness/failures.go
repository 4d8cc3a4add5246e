package harness

import (
	"net/http"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/app"
)

const FailuresPath = "/process_runs/failures"

// Failing are two commands whose errors differ from run to run.
func Failing(t *testing.T, change func(*app.Config)) *Program {
	t.Helper()
	return StartProgram(t, change, Commands(t,
		`import=sh -c 'echo "reading /data/$RUNBOARD_RUN_ID.csv"; echo "no customer $RUNBOARD_RUN_ID" >&2; exit 1'`,
		`mail=sh -c 'echo "connect to 10.0.0.$RUNBOARD_RUN_ID:25: refused"; exit 2'`)...)
}

func StartRunsOf(e *httpexpect.Expect, kind string, count int) {
	e.POST("/process_runs").WithFormField("count", count).WithFormField("kind", kind).Expect().Status(http.StatusSeeOther)
}
