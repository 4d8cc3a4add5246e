package http

import (
	"context"
	"net/http"
	"testing"

	"github.com/gavv/httpexpect/v2"

	"runboard/e2e/harness"
	"runboard/jobs"
)

// The page of a run links to the runs next to it in the list from which the user came.
func TestRunPage_LinksToItsNeighbours(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *jobs.Run) error { return nil }
	b := harness.StartProgram(t, nil, jobs.Kind{Name: "even", Work: nothing},
		jobs.Kind{Name: "odd", Work: nothing})
	e := harness.NewExpect(t, b)
	for _, kind := range []string{"odd", "even", "odd", "even", "odd"} {
		e.POST("/process_runs").WithFormField("kind", kind).WithTransformer(harness.AcceptJSON).Expect().
			Status(http.StatusCreated)
	}
	const newer, older = `id="newer_run" rel="prev" href="`, `id="older_run" rel="next" href="`
	page := func(request *httpexpect.Request) *httpexpect.String {
		return request.Expect().Status(http.StatusOK).Body()
	}
	from := func(path string) *httpexpect.String {
		return page(e.GET("/process_runs/3").WithHeader("Referer", b.URL+path))
	}
	plain := page(e.GET("/process_runs/3"))
	plain.Contains(`href="/process_runs">‹ Runs</a>`)
	plain.Contains(newer + `/process_runs/4"`).Contains(older + `/process_runs/2"`)
	page(e.GET("/process_runs/5")).NotContains(newer).Contains(older + `/process_runs/4"`)
	page(e.GET("/process_runs/1")).NotContains(older)

	for _, path := range []string{"/process_runs?kind=odd", "/process_runs?kind=odd&before=4", "/kinds/odd",
		"/process_runs/5?kind=odd&line=7"} {
		from(path).Contains(newer + `/process_runs/5?kind=odd"`).
			Contains(older + `/process_runs/1?kind=odd"`).
			Contains(`href="/process_runs?kind=odd"`)
	}
	page(e.GET("/process_runs/3").WithQuery("kind", "odd").WithHeader("Referer", b.URL+"/process_runs/5")).
		Contains(newer + `/process_runs/5?kind=odd"`).Contains(older + `/process_runs/1?kind=odd"`)
	page(e.GET("/process_runs/4").WithQuery("kind", "odd")).
		Contains(newer + `/process_runs/5?kind=odd"`).Contains(older + `/process_runs/3?kind=odd"`)

	for name, path := range map[string]string{
		"another page":          "/process_runs/statistics",
		"an invalid filter":     "/process_runs?status=Failed",
		"a search for no words": "/process_runs?q=!",
		"a doubled parameter":   "/process_runs?kind=odd&kind=even",
	} {
		t.Run(name+" leads to no error", func(*testing.T) { from(path).Contains("Run </span>#3") })
	}
	foreign := page(e.GET("/process_runs/3").
		WithHeader("Referer", "http://other.example/process_runs?kind=odd"))
	foreign.Contains(newer + `/process_runs/4"`)
	page(e.GET("/process_runs/3").WithQuery("status", "Failed")).Contains(newer + `/process_runs/4"`)
}
