package harness

import (
	"net/http"

	"github.com/gavv/httpexpect/v2"
)

// StartRuns creates n runs of the default kind, as the form of the page does.
func StartRuns(e *httpexpect.Expect, n int) {
	e.POST("/process_runs").WithFormField("count", n).Expect().Status(http.StatusSeeOther)
}
