package harness

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gavv/httpexpect/v2"
)

// NewExpect returns an HTTP client for a board that behaves as curl does: it follows no redirects.
func NewExpect(t *testing.T, p *Program) *httpexpect.Expect {
	t.Helper()
	return httpexpect.WithConfig(httpexpect.Config{
		BaseURL:  p.URL,
		Reporter: httpexpect.NewRequireReporter(t),
		Client: &http.Client{
			Transport:     whole{Client.Transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
}

// whole reads every body to its end, because httpexpect leaves bodies open that a test does not read.
type whole struct{ http.RoundTripper }

func (w whole) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

// AcceptJSON makes a request ask for JSON.
func AcceptJSON(r *http.Request) { r.Header.Set("Accept", "application/json") }

// WaitUntilDone waits until all runs are final, and returns the counts by status.
func WaitUntilDone(t *testing.T, e *httpexpect.Expect) map[string]any {
	t.Helper()
	var counts map[string]any
	Eventually(t, "all runs are done", func() error {
		counts = e.GET("/process_runs").WithTransformer(AcceptJSON).
			Expect().Status(http.StatusOK).JSON().Object().Value("counts").Object().Raw()
		if counts["created"] != 0.0 || counts["started"] != 0.0 {
			return fmt.Errorf("the counts are %v", counts)
		}
		return nil
	})
	return counts
}

// StartRuns creates n runs of the default kind, as the form of the page does.
func StartRuns(e *httpexpect.Expect, n int) {
	e.POST("/process_runs").WithFormField("count", n).Expect().Status(http.StatusSeeOther)
}

// BulkPath is the path of bulk actions.
const BulkPath = "/process_runs/bulk"

// CountsAre waits until the list reports these counts, by status. Statuses that want lacks may have any
// count.
func CountsAre(t *testing.T, e *httpexpect.Expect, want map[string]any) {
	t.Helper()
	Eventually(t, fmt.Sprint("the counts are ", want), func() error {
		counts := e.GET("/process_runs").WithTransformer(AcceptJSON).Expect().JSON().Object().Value("counts").
			Object().Raw()
		for status, n := range want {
			if fmt.Sprint(counts[status]) != fmt.Sprint(n) {
				return fmt.Errorf("they are %v", counts)
			}
		}
		return nil
	})
}

// StartRun creates a run of a kind and returns its path.
func StartRun(e *httpexpect.Expect, kind string) string {
	run := e.POST("/process_runs").WithTransformer(AcceptJSON).WithFormField("kind", kind).
		WithFormField("count", 1).
		Expect().Status(http.StatusCreated).JSON().Object().Value("process_runs").Array().Value(0).Object()
	return fmt.Sprintf("/process_runs/%d", int(run.Value("id").Number().Raw()))
}

// UntilStatus waits until the run at path has this status.
func UntilStatus(t *testing.T, e *httpexpect.Expect, path, status string) {
	t.Helper()
	Eventually(t, path+" is "+status, func() error {
		got := e.GET(path).WithTransformer(AcceptJSON).Expect().JSON().Object().Value("status").String().Raw()
		if got != status {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// FailuresPath is the path of the failures page.
const FailuresPath = "/process_runs/failures"

// StartRunsOf creates runs of a kind, as the form of the page does.
func StartRunsOf(e *httpexpect.Expect, kind string, count int) {
	e.POST("/process_runs").WithFormField("count", count).WithFormField("kind", kind).Expect().
		Status(http.StatusSeeOther)
}
