package http

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// door is an endpoint, and its status for requests that have access.
type door struct {
	method, path string
	form         string
	ok           int
	makes        int // number of runs that it creates
}

var doors = []door{
	{method: "GET", path: "/", ok: http.StatusFound},
	{method: "GET", path: "/process_runs", ok: http.StatusOK},
	{method: "GET", path: "/process_runs?id=1&id=2", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/1", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/1/status", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/1/log", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/failures", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/failures/99/note", ok: http.StatusNotFound},
	{method: "GET", path: "/process_runs/failures/99/mute", ok: http.StatusNotFound},
	{method: "GET", path: "/process_runs/statistics", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/timeline", ok: http.StatusOK},
	{method: "GET", path: "/process_runs/1/compare/2", ok: http.StatusNotFound},
	{method: "GET", path: "/process_runs/bulk?operation=retry&scope=all", ok: http.StatusOK},
	{method: "GET", path: "/process_runs.ndjson", ok: http.StatusOK},
	{method: "GET", path: "/process_runs.csv", ok: http.StatusOK},
	{method: "GET", path: "/kinds", ok: http.StatusOK},
	{method: "GET", path: "/kinds/simulated?input.x=y", ok: http.StatusOK},
	{method: "GET", path: "/metrics", ok: http.StatusOK},
	{method: "GET", path: "/static/nothing.css", ok: http.StatusNotFound},
	{method: "GET", path: "/nowhere", ok: http.StatusNotFound},
	{method: "GET", path: "/up", ok: http.StatusOK},
	{method: "POST", path: "/process_runs", form: "count=3", ok: http.StatusSeeOther, makes: 3},
	{method: "POST", path: "/process_runs/bulk", form: "operation=cancel&id=1", ok: http.StatusSeeOther,
		makes: 1},
	{method: "POST", path: "/process_runs/1/cancel", ok: http.StatusConflict},
	{method: "POST", path: "/process_runs/1/retry", ok: http.StatusConflict},
	{method: "POST", path: "/process_runs/99999/delete", ok: http.StatusNotFound},
	{method: "POST", path: "/process_runs/failures/99/note", form: "note=a", ok: http.StatusNotFound},
	{method: "POST", path: "/process_runs/failures/99/mute", form: "until=7d", ok: http.StatusNotFound},
	{method: "POST", path: "/process_runs/failures/99/unmute", ok: http.StatusNotFound},
	{method: "POST", path: "/kinds/simulated/preview", ok: http.StatusOK},
	{method: "POST", path: "/kinds/simulated/pause", ok: http.StatusSeeOther},
	{method: "POST", path: "/kinds/simulated/resume", ok: http.StatusSeeOther},
	{method: "socket", path: "/process_runs/live", ok: http.StatusSwitchingProtocols},
	{method: "socket", path: "/process_runs/1/live", ok: http.StatusSwitchingProtocols},
	{method: "socket", path: "/process_runs/failures/live", ok: http.StatusSwitchingProtocols},
	{method: "socket", path: "/process_runs/statistics/live", ok: http.StatusSwitchingProtocols},
	{method: "socket", path: "/process_runs/timeline/live", ok: http.StatusSwitchingProtocols},
	{method: "socket", path: "/process_runs/kinds/live", ok: http.StatusSwitchingProtocols},
}

// sender is the claimed origin of a request.
type sender struct {
	name    string
	headers map[string]string
	foreign bool // it may neither POST nor open sockets
	barred  bool // it may not read either
	named   bool // it uses a host name that is not ours, and may do nothing
}

func senders(url string) []sender {
	return []sender{
		{name: "a program"},
		{name: "our own page", headers: map[string]string{"Origin": url, "Sec-Fetch-Site": "same-origin"}},
		{name: "an older browser on our page", headers: map[string]string{"Origin": url}},
		{name: "a public origin",
			headers: map[string]string{"Origin": "https://board.example", "Sec-Fetch-Site": "cross-site"}},
		{name: "the same site",
			headers: map[string]string{"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
			foreign: true, barred: true},
		{name: "another site",
			headers: map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
			foreign: true, barred: true},
		{name: "an older browser elsewhere", headers: map[string]string{"Origin": "https://evil.example"},
			foreign: true},
		{name: "no site", headers: map[string]string{"Origin": "null"}, foreign: true},
		{name: "a name that is not ours", headers: map[string]string{"Host": "evil.example"}, named: true},
	}
}

// credentials are the login of a request, and whether it is valid.
type credentials struct {
	user, password string
	right          bool
}

// expected returns the status that the access rules demand. asked says that the board requires a login.
func expected(d door, from sender, with credentials, asked bool) int {
	switch {
	case from.named:
		return http.StatusMisdirectedRequest
	case asked && !with.right && d.path != "/up":
		return http.StatusUnauthorized
	case from.foreign && d.method != "GET", from.barred && d.path != "/up":
		return http.StatusForbidden
	}
	return d.ok
}

// enter makes a request and returns the status.
func enter(t *testing.T, url string, d door, from sender, with credentials) int {
	t.Helper()
	method := d.method
	if method == "socket" {
		method = "GET"
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url+d.path, strings.NewReader(d.form))
	if err != nil {
		t.Fatal(err)
	}
	if d.form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if d.method == "socket" {
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
		} {
			request.Header.Set(name, value)
		}
	}
	for name, value := range from.headers {
		request.Header.Set(name, value)
	}
	request.Host = from.headers["Host"]
	if with.user != "" {
		request.SetBasicAuth(with.user, with.password)
	}
	response, err := http.DefaultTransport.RoundTrip(request) // does not follow redirects
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols { // a socket has no end
		_, _ = io.Copy(io.Discard, response.Body)
	}
	return response.StatusCode
}

func TestAccess_OfEverySender(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for _, asked := range []bool{false, true} {
		t.Run(fmt.Sprint("with a password: ", asked), func(t *testing.T) {
			t.Parallel()
			p := harness.StartProgram(t, func(c *board.Config) {
				c.PublicOrigin, c.PostRate, c.UpgradeRate = []string{"https://board.example"}, 0, 0
				if asked {
					c.Auth = "anna:sesame"
				}
			})
			runs := 1
			if _, err := p.Store.Create(context.Background(),
				app.CreateRequest{Kind: "simulated", Count: runs}); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, "the first run ends", func() error {
				if page, err := p.Store.Run(context.Background(), 1); err != nil || !page.Run.Status.Final() {
					return fmt.Errorf("it is %s: %v", page.Run.Status, err)
				}
				return nil
			})
			given := []credentials{{}, {user: "anna", password: "sesame", right: true}}
			for _, d := range doors {
				for i, from := range senders(p.URL) {
					if i == 0 && asked { // only once, because each wrong login costs time
						given = append(given[:2], credentials{user: "anna", password: "sesam"},
							credentials{user: "bert", password: "sesame"})
					}
					for _, with := range given {
						want := expected(d, from, with, asked)
						if got := enter(t, p.URL, d, from, with); got != want {
							t.Errorf("%s %s from %s as %q: the answer is %d and not %d", d.method, d.path,
								from.name, with.user+":"+with.password, got, want)
						} else if got == d.ok {
							runs += d.makes
						}
					}
					given = given[:2]
				}
			}
			page, err := p.Store.Page(context.Background(), app.Query{})
			if err != nil || page.Counts.Total() != int64(runs) {
				t.Errorf("there are %d runs, but accepted requests created %d: %v", page.Counts.Total(), runs,
					err)
			}
		})
	}
}
