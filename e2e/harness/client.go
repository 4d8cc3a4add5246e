package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// ListJSON is a page of the list in JSON.
type ListJSON struct {
	ProcessRuns []RunJSON        `json:"process_runs"`
	Counts      map[string]int64 `json:"counts"`
	Older       *string          `json:"older"`
	Newer       *string          `json:"newer"`
}

// RunJSON is a run in JSON.
type RunJSON struct {
	ID      int64  `json:"id"`
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// Client keeps no connections open: a connection to a killed program would break the next test.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}

// Get requests JSON from path and decodes it into into, if that is not nil.
func (p *Process) Get(path string, into any) error {
	return p.Do(http.MethodGet, path, "", into)
}

// Do makes a request for JSON and decodes the answer into into, if that is not nil. It fails if the status is
// 300 or higher.
func (p *Process) Do(method, path, form string, into any) error {
	request, err := http.NewRequestWithContext(context.Background(), method, p.URL+path,
		strings.NewReader(form))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

// Post creates count runs and returns them, oldest first.
func (p *Process) Post(count int) []RunJSON {
	p.T.Helper()
	var created ListJSON
	form := url.Values{"count": {strconv.Itoa(count)}}.Encode()
	if err := p.Do(http.MethodPost, "/process_runs", form, &created); err != nil {
		p.T.Fatal(err)
	}
	return created.ProcessRuns
}

// List returns the page of the list at path.
func (p *Process) List(path string) ListJSON {
	p.T.Helper()
	var page ListJSON
	if err := p.Get(path, &page); err != nil {
		p.T.Fatal(err)
	}
	return page
}

// WaitUntilDone waits until there are total runs and all of them are final. With PostgreSQL, another node may
// have to rescue some of them first.
func (p *Process) WaitUntilDone(total int64) {
	p.T.Helper()
	limit := Patience
	if strings.HasPrefix(p.Database, "postgres") {
		limit = RescuePatience
	}
	eventuallyWithin(p.T, limit, fmt.Sprintf("%d runs are done", total), func() error {
		var page ListJSON
		if err := p.Get("/process_runs", &page); err != nil {
			return err
		}
		if c := page.Counts; c["completed"]+c["failed"]+c["cancelled"] != total ||
			c["created"]+c["started"] != 0 {
			return fmt.Errorf("the counts are %v", c)
		}
		return nil
	})
}

// UntilStarted waits until at least n runs are started.
func (p *Process) UntilStarted(n int64) {
	p.T.Helper()
	Eventually(p.T, fmt.Sprintf("%d runs are started", n), func() error {
		var page ListJSON
		if err := p.Get("/process_runs", &page); err != nil {
			return err // its database may be unreachable
		}
		if page.Counts["started"] < n {
			return fmt.Errorf("the counts are %v", page.Counts)
		}
		return nil
	})
}

// UntilAllStarted waits until no run waits any more. Some may have finished.
func (p *Process) UntilAllStarted() {
	p.T.Helper()
	Eventually(p.T, "all runs are started", func() error {
		var page ListJSON
		if err := p.Get("/process_runs", &page); err != nil {
			return err
		}
		if page.Counts["created"] > 0 {
			return fmt.Errorf("the counts are %v", page.Counts)
		}
		return nil
	})
}

// TotalOf returns the number of runs in the list.
func TotalOf(p *Process) (n int64) {
	p.T.Helper()
	for _, count := range p.List("/process_runs").Counts {
		n += count
	}
	return n
}

// StartJobs creates runs of the kind "job".
func (p *Process) StartJobs(count int) {
	p.T.Helper()
	form := fmt.Sprintf("kind=job&count=%d", count)
	if err := p.Do(http.MethodPost, "/process_runs", form, nil); err != nil {
		p.T.Fatal(err)
	}
}

// Answers returns nil if the answer to a request has this status.
func (p *Process) Answers(method, path string, status int) error {
	request, err := http.NewRequest(method, p.URL+path, nil)
	if err != nil {
		return err
	}
	response, err := Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		return fmt.Errorf("%s %s answers %s", method, path, response.Status)
	}
	return nil
}

// AnswersUp returns a check that GET /up answers with this status.
func (p *Process) AnswersUp(status int) func() error {
	return func() error { return p.Answers(http.MethodGet, "/up", status) }
}
