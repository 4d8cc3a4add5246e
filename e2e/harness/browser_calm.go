package harness

import (
	"net/http"

	"github.com/gavv/httpexpect/v2"
)

func StartRuns(e *httpexpect.Expect, n int) {
	e.POST("/process_runs").WithFormField("count", n).Expect().Status(http.StatusSeeOther)
}
