package http

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

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
	for _, count := range []string{"0", "-1", "-5", "%2B5", "+5", "1.5", "0x10", "1e3", "1001", "١٠", "%EF%BC%95", "5%00", " 5", "ten", strings.Repeat("9", 30)} {
		attempts = append(attempts, attempt{"count " + count, "POST", "/process_runs", "count=" + count, map[string]string{"Content-Type": formType}, 422})
	}
	form, asJSON := map[string]string{"Content-Type": formType}, map[string]string{"Content-Type": "application/json"}
	for _, a := range []attempt{
		{name: "count twice", body: "count=5&count=5", headers: form, status: 422},
		{name: "an unknown kind", body: "kind=rm", headers: form, status: 422},
		{name: "a key that is too long", body: "idempotency_key=" + strings.Repeat("k", 201), headers: form, status: 422},
		{name: "JSON that is cut off", body: `{"count":`, headers: asJSON, status: 400},
		{name: "JSON that is no object", body: `[10]`, headers: asJSON, status: 400},
		{name: "JSON with something behind it", body: `{"count":1}{}`, headers: asJSON, status: 400},
		{name: "empty JSON", headers: asJSON, status: 400},
		{name: "JSON with a text for a count", body: `{"count":"5"}`, headers: asJSON, status: 422},
		{name: "JSON with a fraction", body: `{"count":1.5}`, headers: asJSON, status: 422},
		{name: "JSON with an exponent", body: `{"count":1e1}`, headers: asJSON, status: 422},
		{name: "JSON with count twice", body: `{"count":1,"count":1}`, headers: asJSON, status: 422},
		{name: "JSON with an object for a count", body: `{"count":{"count":1}}`, headers: asJSON, status: 422},
		{name: "JSON with a number for a kind", body: `{"kind":5}`, headers: asJSON, status: 422},
		{name: "another type", body: "count=5", headers: map[string]string{"Content-Type": "text/plain"}, status: 415},
		{name: "multipart", body: "--x--", headers: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 415},
		{name: "a body without a type", body: "count=5", status: 415},
		{name: "multipart that is none", body: "count=1", headers: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 415},
		{name: "a type that is none", body: "count=5", headers: map[string]string{"Content-Type": ";;"}, status: 415},
		{name: "a compressed body", body: "count=5", headers: map[string]string{"Content-Type": formType, "Content-Encoding": "gzip"}, status: 415},
		{name: "a body that is too large", body: "a=" + strings.Repeat("a", 256<<10), headers: form, status: 413},
		{name: "a body that is much too large", body: "a=" + strings.Repeat("a", 2<<20), headers: form, status: 413},
		{name: "a body as large as may be", body: "count=0&a=" + strings.Repeat("a", 256<<10-10), headers: form, status: 422},
	} {
		a.method, a.path = "POST", "/process_runs"
		attempts = append(attempts, a)
	}
	for _, wish := range []string{"cancel", "retry", "delete"} {
		path := "/process_runs/1/" + wish
		attempts = append(attempts,
			attempt{wish + " with a text", "POST", path, "x", map[string]string{"Content-Type": "text/plain"}, 415},
			attempt{wish + " with JSON that is cut off", "POST", path, "{", asJSON, 400},
			attempt{wish + " with a body that is too large", "POST", path, "a=" + strings.Repeat("a", 16<<10), form, 413})
	}
	return attempts
}

func badAddresses() (attempts []attempt) {
	numbers := []string{"-1", "%2B1", "1.0", "abc", "1e3", "0x1", "9223372036854775808", "99999999999999999999", "1%00", "%zz", "%EF%BC%91", "1%20", "%FF%FE"}
	for _, number := range numbers {
		attempts = append(attempts,
			attempt{name: "before " + number, method: "GET", path: "/process_runs?before=" + number, status: 400},
			attempt{name: "after " + number, method: "GET", path: "/process_runs?after=" + number, status: 400},
			attempt{name: "run " + number, method: "GET", path: "/process_runs/" + number, status: 404},
			attempt{name: "status of run " + number, method: "GET", path: "/process_runs/" + number + "/status", status: 404})
	}
	for _, status := range []string{"FAILED", "Failed", "2", "bogus", "failed%00", "completed'%20OR%201=1--", "%3Cimg%20src=x%20onerror=alert(1)%3E"} {
		attempts = append(attempts, attempt{name: "status " + status, method: "GET", path: "/process_runs?status=" + status, status: 400})
	}
	return append(attempts,
		attempt{name: "before twice", method: "GET", path: "/process_runs?before=1&before=1", status: 400},
		attempt{name: "status twice", method: "GET", path: "/process_runs?status=failed&status=failed", status: 400},
		attempt{name: "before and after", method: "GET", path: "/process_runs?before=9&after=1", status: 400},
		attempt{name: "no such run", method: "GET", path: "/process_runs/987654", status: 404},
		attempt{name: "run 0", method: "GET", path: "/process_runs/0", status: 404},
		attempt{name: "no such page", method: "GET", path: "/%3Cscript%3Ealert(1)%3C/script%3E", status: 404},
		attempt{name: "capitals", method: "GET", path: "/PROCESS_RUNS", status: 404},
		attempt{name: "out of the tree", method: "GET", path: "/static/%2e%2e/%2e%2e/etc/passwd", status: 404},
	)
}

func TestBadInputGetsAClearErrorAndChangesNothing(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, a := range append(badForms(), badAddresses()...) {
		t.Run(a.name, func(t *testing.T) {
			page := send(t, p.URL, a, nil)
			page.check(t, a.status)
			if !strings.HasPrefix(page.body, "<!doctype html>") || page.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("it is no page: %s", page.body)
			}
			fragment := send(t, p.URL, a, map[string]string{"HX-Request": "true", "HX-Request-Type": "partial"})
			fragment.check(t, a.status)
			if fragment.header.Get("HX-Retarget") != "#notice" || fragment.header.Get("HX-Reswap") != "innerHTML" || strings.Contains(fragment.body, "<html") {
				t.Errorf("it is no notice: %v %s", fragment.header, fragment.body)
			}
			forProgram := send(t, p.URL, a, map[string]string{"Accept": "application/json"})
			forProgram.check(t, a.status)
			var answer map[string]string
			if err := json.Unmarshal([]byte(forProgram.body), &answer); err != nil || answer["error"] == "" {
				t.Errorf("it is not an error in JSON: %s", forProgram.body)
			}
		})
	}
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 0.0 {
		t.Errorf("something was created: %v", counts)
	}
}

func TestACountThatIsRefusedIsToldItsRange(t *testing.T) {
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
		t.Errorf("it tells of internals (%s): %s", word, r.body)
	}
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
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

func TestEveryMethodThatIsNotTakenIsToldWhichAre(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for path, allowed := range map[string]string{
		"/process_runs": "GET, HEAD, POST", "/process_runs/1": "GET, HEAD", "/process_runs/1/status": "GET, HEAD",
		"/process_runs/live": "GET, HEAD", "/process_runs/statistics": "GET, HEAD", "/process_runs/statistics/live": "GET, HEAD", "/up": "GET, HEAD", "/": "GET, HEAD", "/process_runs/1/log": "GET, HEAD",
		"/process_runs/1/cancel": "POST", "/process_runs/1/retry": "POST",
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

func TestAnotherSiteCannotStartRuns(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PublicOrigin = []string{"https://board.example"} })
	for _, c := range []struct {
		site, origin string
		status       int
	}{
		{"cross-site", "https://evil.example", 403}, {"cross-site", "", 403}, {"same-site", "http://127.0.0.1:1", 403},
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
		answer := send(t, p.URL, attempt{method: "POST", path: "/process_runs", body: "count=1", headers: headers}, nil)
		if answer.status != c.status {
			t.Errorf("site %q, origin %q: the answer is %d", c.site, c.origin, answer.status)
		}
	}
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 6.0 {
		t.Errorf("the counts are %v", counts)
	}
}

func TestCredentialsAreAskedForOnEverythingButUp(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.Auth = "anna:open:sesame" })
	e := harness.NewExpect(t, p)
	e.GET("/up").Expect().Status(http.StatusOK)
	for _, path := range []string{"/", "/process_runs", "/process_runs/1", "/static/x", "/nowhere", "/process_runs/live"} {
		e.GET(path).Expect().Status(http.StatusUnauthorized).Header("WWW-Authenticate").Contains("Basic")
		e.GET(path).WithBasicAuth("anna", "open").Expect().Status(http.StatusUnauthorized)
	}
	e.GET("/process_runs").WithBasicAuth("anna", "open:sesame").Expect().Status(http.StatusOK)
}

func TestPostsFromOneAddressHaveALimit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PostRate = 0.01 })
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusSeeOther)
	e.POST("/process_runs").WithFormField("count", "1").Expect().Status(http.StatusTooManyRequests).Header("Retry-After").NotEmpty()
	e.GET("/process_runs").Expect().Status(http.StatusOK)
}

// raw sends bytes as they are. It returns the answer, and whether the server then closes the connection. The
// test fails if there is no answer, or if it differs from other error answers for browsers.
func raw(t *testing.T, p *harness.Program, text string) (answer reply, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("there is no answer: %v", err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	answer = reply{response.StatusCode, response.Header, string(body)}
	if kind := answer.header.Get("Content-Type"); kind != "text/html; charset=utf-8" || !strings.HasPrefix(answer.body, "<!doctype html>") {
		t.Errorf("it is no page but %s: %s", kind, body)
	}
	return answer, response.Close
}

func TestRequestsThatCannotBeTrustedEndTheConnection(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	host := "Host: " + p.Addr + "\r\n"
	post := "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType + "\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"length and chunked":      {post + "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"chunked and length":      {post + "transfer-encoding: chunked\r\ncontent-length: 7\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"two lengths and no body": {"GET /up HTTP/1.1\r\n" + host + "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"another version":         {"GET /up HTTP/9.9\r\n" + host + "\r\n", 400},
		"the oldest version":      {"GET /up HTTP/0.9\r\n" + host + "\r\n", 400},
		"bare lines":              {"GET /up HTTP/1.1\n" + strings.ReplaceAll(host, "\r", "") + "\n", 400},
		"a bare line":             {"GET /up HTTP/1.1\r\n" + strings.ReplaceAll(host, "\r", ""), 400},
		"two lengths to post":     {post + "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n", 400},
		"two lengths, expecting":  {post + "Transfer-Encoding: chunked\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n", 400},
		"a body of no known kind": {post + "Transfer-Encoding: identity\r\n\r\ncount=1", 400},
		"a body in two kinds":     {post + "Transfer-Encoding: gzip, chunked\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"chunked in two ways":     {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"a chunk without a size":  {post + "Transfer-Encoding: chunked\r\n\r\n0x7\r\ncount=1\r\n0\r\n\r\n", 400},
		"chunks that are large":   {post + "Transfer-Encoding: chunked\r\n\r\nFFFFF\r\n" + strings.Repeat("a", 17<<10), 413},
		"a length that is a sum":  {post + "Content-Length: 7,7\r\n\r\ncount=1", 400},
		"a length with a sign":    {post + "Content-Length: +7\r\n\r\ncount=1", 400},
		"another protocol":        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		"no request at all":       {"hello\r\n\r\n", 400},
		"two lengths":             {post + "Content-Length: 7\r\nContent-Length: 8\r\n\r\ncount=1", 400},
		"the same length twice":   {post + "Content-Length: 7\r\nContent-Length: 7\r\n\r\ncount=1", 400},
		"a negative length":       {post + "Content-Length: -7\r\n\r\n", 400},
		"a space before a colon":  {"GET /up HTTP/1.1\r\n" + host + "X-A : b\r\n\r\n", 400},
		"a header in two lines":   {"GET /up HTTP/1.1\r\n" + host + "X-A: a\r\n b\r\n\r\n", 400},
		"a length in two lines":   {post + "Content-Length:\r\n 7\r\n\r\ncount=1", 400},
		"a header without a name": {"GET /up HTTP/1.1\r\n" + host + ": a\r\n\r\n", 400},
		"a header without colon":  {"GET /up HTTP/1.1\r\n" + host + "nothing\r\n\r\n", 400},
		"a header with a zero":    {"GET /up HTTP/1.1\r\n" + host + "X-A: a\x00b\r\n\r\n", 400},
		"no host":                 {"GET /up HTTP/1.1\r\n\r\n", 400},
		"two hosts":               {"GET /up HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"two hosts, spelt apart":  {"GET /up HTTP/1.1\r\n" + host + "hOST: 127.0.0.1\r\n\r\n", 400},
		"a host that is none":     {"GET /up HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n", 400},
		"a host with two ports":   {"GET /up HTTP/1.1\r\nHost: 127.0.0.1:80:80\r\n\r\n", 400},
		"headers that are large":  {"GET /up HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 9000) + "\r\n\r\n", 431},
		"an address that is long": {"GET /up?" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n" + host + "\r\n", 414},
	} {
		t.Run(name, func(t *testing.T) {
			answer, closed := raw(t, p, c.text)
			answer.check(t, c.status)
			if !closed {
				t.Error("the connection is left open")
			}
		})
	}
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 0.0 {
		t.Errorf("something was created: %v", counts)
	}
}

func TestAHostThatIsNotOursIsRefusedHoweverItIsSpelt(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PublicOrigin = []string{"https://board.example"} })
	for _, host := range []string{
		"evil.example", "evil.example:3000", "localhost.", "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "0x7f000001", "2130706433",
		"a@127.0.0.1", "[::1%25lo]", "board.example.evil.example", "evil-board.example",
	} {
		t.Run(host, func(t *testing.T) {
			answer, _ := raw(t, p, "GET /process_runs HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			answer.check(t, http.StatusMisdirectedRequest)
		})
	}
}

// dripTime is when the server gives up on an incomplete request.
const dripTime = 10 * time.Second

func TestWhatDripsInIsCutOff(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	host := fmt.Sprintf("Host: %s\r\n", p.Addr)
	var slow sync.WaitGroup // concurrent, because each takes dripTime
	for name, begins := range map[string]string{
		"a line": "GET /u", "headers": "GET /up HTTP/1.1\r\n" + host + "X-Slow: ",
		"a body":  "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType + "\r\nContent-Length: 1000\r\n\r\ncount=1&a=",
		"a chunk": "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType + "\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\ncount=1&a=",
	} {
		slow.Go(func() { drip(t, p, name, begins) })
	}
	slow.Wait()
	if counts := harness.WaitUntilDone(t, harness.NewExpect(t, p)); counts["completed"] != 0.0 {
		t.Errorf("something was created: %v", counts)
	}
}

// drip sends a request byte by byte without an end, and checks that the server answers 408 in time.
func drip(t *testing.T, p *harness.Program, name, begins string) {
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	began := time.Now()
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	defer dripping.Wait()
	defer close(stop)
	dripping.Go(func() {
		for _, err := io.WriteString(conn, begins); err == nil && !harness.IsOver(stop); _, err = io.WriteString(conn, "a") {
			time.Sleep(dripTime / 20)
		}
	})
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("%s: there is no answer: %v", name, err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	answer := reply{response.StatusCode, response.Header, string(body)}
	answer.check(t, http.StatusRequestTimeout)
	if took := time.Since(began); took < dripTime-time.Second || took > dripTime+5*time.Second {
		t.Errorf("%s: it was told so after %v", name, took)
	}
}
