package http

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"runboard/board"
	"runboard/e2e/harness"
)

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// attempt is a request that the server must refuse.
type attempt struct {
	name, method, path, body string
	headers                  map[string]string
	status                   int
}

const formType = "application/x-www-form-urlencoded"

func badForms() (attempts []attempt) {
	for _, count := range []string{"0", "-1", "-5", "%2B5", "+5", "1.5", "0x10", "1e3", "1001", "١٠",
		"%EF%BC%95", "5%00", " 5", "ten", strings.Repeat("9", 30)} {
		attempts = append(attempts,
			attempt{"count " + count, "POST", "/process_runs", "count=" + count,
				map[string]string{"Content-Type": formType}, 422})
	}
	form, asJSON := map[string]string{"Content-Type": formType},
		map[string]string{"Content-Type": "application/json"}
	for _, a := range []attempt{
		{name: "count twice", body: "count=5&count=5", headers: form, status: 422},
		{name: "an unknown kind", body: "kind=rm", headers: form, status: 422},
		{name: "a key that is too long", body: "idempotency_key=" + strings.Repeat("k", 201), headers: form,
			status: 422},
		{name: "JSON that is cut off", body: `{"count":`, headers: asJSON, status: 400},
		{name: "JSON that is no object", body: `[10]`, headers: asJSON, status: 400},
		{name: "JSON with something behind it", body: `{"count":1}{}`, headers: asJSON, status: 400},
		{name: "empty JSON", headers: asJSON, status: 400},
		{name: "JSON with a text for a count", body: `{"count":"5"}`, headers: asJSON, status: 422},
		{name: "JSON with a fraction", body: `{"count":1.5}`, headers: asJSON, status: 422},
		{name: "JSON with an exponent", body: `{"count":1e1}`, headers: asJSON, status: 422},
		{name: "JSON with count twice", body: `{"count":1,"count":1}`, headers: asJSON, status: 422},
		{name: "JSON with an object for a count", body: `{"count":{"count":1}}`, headers: asJSON,
			status: 422},
		{name: "JSON with a number for a kind", body: `{"kind":5}`, headers: asJSON, status: 422},
		{name: "another type", body: "count=5", headers: map[string]string{"Content-Type": "text/plain"},
			status: 415},
		{name: "multipart", body: "--x--",
			headers: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 415},
		{name: "a body without a type", body: "count=5", status: 415},
		{name: "multipart that is none", body: "count=1",
			headers: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 415},
		{name: "a type that is none", body: "count=5", headers: map[string]string{"Content-Type": ";;"},
			status: 415},
		{name: "a compressed body", body: "count=5",
			headers: map[string]string{"Content-Type": formType, "Content-Encoding": "gzip"}, status: 415},
		{name: "a body that is too large", body: "a=" + strings.Repeat("a", 256<<10), headers: form,
			status: 413},
		{name: "a body that is much too large", body: "a=" + strings.Repeat("a", 2<<20), headers: form,
			status: 413},
		{name: "a body as large as may be", body: "count=0&a=" + strings.Repeat("a", 256<<10-10),
			headers: form, status: 422},
	} {
		a.method, a.path = "POST", "/process_runs"
		attempts = append(attempts, a)
	}
	for _, command := range []string{"cancel", "retry", "delete"} {
		path := "/process_runs/1/" + command
		attempts = append(attempts,
			attempt{command + " with a text", "POST", path, "x",
				map[string]string{"Content-Type": "text/plain"}, 415},
			attempt{command + " with JSON that is cut off", "POST", path, "{", asJSON, 400},
			attempt{command + " with a body that is too large", "POST", path,
				"a=" + strings.Repeat("a", 16<<10), form, 413})
	}
	return attempts
}

func badAddresses() (attempts []attempt) {
	numbers := []string{"-1", "%2B1", "1.0", "abc", "1e3", "0x1", "9223372036854775808",
		"99999999999999999999", "1%00", "%zz", "%EF%BC%91", "1%20", "%FF%FE"}
	for _, number := range numbers {
		attempts = append(attempts,
			attempt{name: "before " + number, method: "GET", path: "/process_runs?before=" + number,
				status: 400},
			attempt{name: "after " + number, method: "GET", path: "/process_runs?after=" + number,
				status: 400},
			attempt{name: "run " + number, method: "GET", path: "/process_runs/" + number, status: 404},
			attempt{name: "status of run " + number, method: "GET",
				path: "/process_runs/" + number + "/status", status: 404})
	}
	for _, status := range []string{"FAILED", "Failed", "2", "bogus", "failed%00", "completed'%20OR%201=1--",
		"%3Cimg%20src=x%20onerror=alert(1)%3E"} {
		attempts = append(attempts,
			attempt{name: "status " + status, method: "GET", path: "/process_runs?status=" + status,
				status: 400})
	}
	return append(attempts,
		attempt{name: "before twice", method: "GET", path: "/process_runs?before=1&before=1", status: 400},
		attempt{name: "status twice", method: "GET", path: "/process_runs?status=failed&status=failed",
			status: 400},
		attempt{name: "before and after", method: "GET", path: "/process_runs?before=9&after=1", status: 400},
		attempt{name: "no such run", method: "GET", path: "/process_runs/987654", status: 404},
		attempt{name: "run 0", method: "GET", path: "/process_runs/0", status: 404},
		attempt{name: "no such page", method: "GET", path: "/%3Cscript%3Ealert(1)%3C/script%3E", status: 404},
		attempt{name: "capitals", method: "GET", path: "/PROCESS_RUNS", status: 404},
		attempt{name: "out of the tree", method: "GET", path: "/static/%2e%2e/%2e%2e/etc/passwd",
			status: 404},
	)
}

func TestBadInput_GetsAClearErrorAndChangesNothing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, a := range append(badForms(), badAddresses()...) {
		t.Run(a.name, func(t *testing.T) {
			page := send(t, p.URL, a, nil)
			page.check(t, a.status)
			if !strings.HasPrefix(page.body, "<!doctype html>") ||
				page.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("the answer is no page: %s", page.body)
			}
			fragment := send(t, p.URL, a,
				map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"})
			fragment.check(t, a.status)
			if fragment.header.Get("HX-Retarget") != "#notice" ||
				fragment.header.Get("HX-Reswap") != "innerHTML" || strings.Contains(fragment.body, "<html") {
				t.Errorf("the answer is no notice: %v %s", fragment.header, fragment.body)
			}
			forProgram := send(t, p.URL, a, map[string]string{"Accept": "application/json"})
			forProgram.check(t, a.status)
			var answer map[string]string
			if err := json.Unmarshal([]byte(forProgram.body), &answer); err != nil || answer["error"] == "" {
				t.Errorf("the answer is no error in JSON: %s", forProgram.body)
			}
		})
	}
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 0.0 {
		t.Errorf("something was created: %v", counts)
	}
}

func TestCount_ErrorNamesTheRange(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	harness.NewExpect(t, harness.StartProgram(t, nil)).POST("/process_runs").WithFormField("count", "1001").
		Expect().Status(http.StatusUnprocessableEntity).Body().Contains("from 1 to 1000")
}

// reply is the answer to an attempt.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) check(t *testing.T, status int) {
	t.Helper()
	if r.status != status {
		t.Errorf("the answer is %d and not %d: %s", r.status, status, r.body)
	}
	if word := harness.Internals.FindString(r.body); word != "" {
		t.Errorf("the answer reveals %s: %s", word, r.body)
	}
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := r.header.Get(name); got != value {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// send makes a request whose path goes out exactly as written.
func send(t *testing.T, server string, a attempt, more map[string]string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), a.method, server, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(a.path, "?")
	request.URL = &url.URL{Scheme: "http", Host: request.URL.Host, Opaque: path, RawQuery: query}
	for _, headers := range []map[string]string{a.headers, more} {
		for name, value := range headers {
			request.Header.Set(name, value)
		}
	}
	response, err := harness.Client.Transport.RoundTrip(request) // does not follow redirects
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

func TestMethods_OthersAreToldTheAllowedOnes(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for path, allowed := range map[string]string{
		"/process_runs": "GET, HEAD, POST", "/process_runs/1": "GET, HEAD",
		"/process_runs/1/status": "GET, HEAD",
		"/process_runs/live":     "GET, HEAD", "/process_runs/statistics": "GET, HEAD",
		"/process_runs/statistics/live": "GET, HEAD", "/up": "GET, HEAD", "/": "GET, HEAD",
		"/process_runs/1/log":    "GET, HEAD",
		"/process_runs/timeline": "GET, HEAD", "/process_runs/timeline/live": "GET, HEAD",
		"/process_runs/1/compare/2": "GET, HEAD",
		"/process_runs/1/cancel":    "POST", "/process_runs/1/retry": "POST",
	} {
		for _, method := range []string{"DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "PROPFIND"} {
			answer := send(t, p.URL, attempt{method: method, path: path}, nil)
			answer.check(t, http.StatusMethodNotAllowed)
			if got := answer.header.Get("Allow"); got != allowed {
				t.Errorf("%s %s: allowed is %q", method, path, got)
			}
		}
	}
	send(t, p.URL, attempt{method: "BREW", path: "/coffee"}, nil).check(t, http.StatusNotFound)
}

func TestCreate_RefusesOtherSites(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PublicOrigin = []string{"https://board.example"} })
	for _, c := range []struct {
		site, origin string
		status       int
	}{
		{"cross-site", "https://evil.example", 403}, {"cross-site", "", 403},
		{"same-site", "http://127.0.0.1:1", 403},
		{"", "https://evil.example", 403}, {"", "null", 403}, {"", "http://127.0.0.1:1", 403},
		{"same-origin", p.URL, 303}, {"none", "", 303}, {"", p.URL, 303}, {"", "", 303},
		{"cross-site", "https://board.example", 303}, {"", "https://board.example", 303},
	} {
		headers := map[string]string{"Content-Type": formType, "Sec-Fetch-Site": c.site, "Origin": c.origin}
		for name, value := range headers {
			if value == "" {
				delete(headers, name)
			}
		}
		answer := send(t, p.URL,
			attempt{method: "POST", path: "/process_runs", body: "count=1", headers: headers}, nil)
		if answer.status != c.status {
			t.Errorf("site %q, origin %q: the answer is %d", c.site, c.origin, answer.status)
		}
	}
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 6.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestCredentials_AreRequiredExceptForUp(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.Auth = "anna:open:sesame" })
	e := harness.NewExpect(t, p)
	e.GET("/up").Expect().Status(http.StatusOK)
	for _, path := range []string{"/", "/process_runs", "/process_runs/1", "/static/x", "/nowhere",
		"/process_runs/live"} {
		e.GET(path).Expect().Status(http.StatusUnauthorized).Header("WWW-Authenticate").Contains("Basic")
		e.GET(path).WithBasicAuth("anna", "open").Expect().Status(http.StatusUnauthorized)
	}
	e.GET("/process_runs").WithBasicAuth("anna", "open:sesame").Expect().Status(http.StatusOK)
}

func TestPosts_HaveALimitPerAddress(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PostRate = 0.01 })
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusTooManyRequests).
		Header("Retry-After").NotEmpty()
	e.GET("/process_runs").Expect().Status(http.StatusOK)
}
