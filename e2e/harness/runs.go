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
