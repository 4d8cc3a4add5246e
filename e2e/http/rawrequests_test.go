package http

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"runboard/board"
	"runboard/e2e/harness"
)

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
	if kind := answer.header.Get("Content-Type"); kind != "text/html; charset=utf-8" ||
		!strings.HasPrefix(answer.body, "<!doctype html>") {
		t.Errorf("the answer is no page but %s: %s", kind, body)
	}
	return answer, response.Close
}

// ambiguous is a request that a proxy could read differently, and the status of the answer.
type ambiguous struct {
	text   string
	status int
}

// ambiguousRequests returns such requests to the board at addr.
func ambiguousRequests(addr string) map[string]ambiguous {
	host := "Host: " + addr + "\r\n"
	post := "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType + "\r\n"
	return map[string]ambiguous{
		"length and chunked": {post +
			"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"chunked and length": {post +
			"transfer-encoding: chunked\r\ncontent-length: 7\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"two lengths and no body": {"GET /up HTTP/1.1\r\n" + host +
			"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"another version":     {"GET /up HTTP/9.9\r\n" + host + "\r\n", 400},
		"the oldest version":  {"GET /up HTTP/0.9\r\n" + host + "\r\n", 400},
		"bare lines":          {"GET /up HTTP/1.1\n" + strings.ReplaceAll(host, "\r", "") + "\n", 400},
		"a bare line":         {"GET /up HTTP/1.1\r\n" + strings.ReplaceAll(host, "\r", ""), 400},
		"two lengths to post": {post + "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n", 400},
		"two lengths, expecting": {post +
			"Transfer-Encoding: chunked\r\nContent-Length: 7\r\nExpect: 100-continue\r\n\r\n", 400},
		"a body of no known kind": {post + "Transfer-Encoding: identity\r\n\r\ncount=1", 400},
		"a body in two kinds": {post +
			"Transfer-Encoding: gzip, chunked\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n", 400},
		"chunked in two ways": {post +
			"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n7\r\ncount=1\r\n0\r\n\r\n",
			400},
		"a chunk without a size": {post + "Transfer-Encoding: chunked\r\n\r\n0x7\r\ncount=1\r\n0\r\n\r\n",
			400},
		"chunks that are large": {post + "Transfer-Encoding: chunked\r\n\r\nFFFFF\r\n" +
			strings.Repeat("a", 17<<10), 413},
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
		"a host and another one":  {"GET http://evil.example/up HTTP/1.1\r\n" + host + "\r\n", 400},
		"a host that is none":     {"GET /up HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n", 400},
		"a host with two ports":   {"GET /up HTTP/1.1\r\nHost: 127.0.0.1:80:80\r\n\r\n", 400},
		"headers that are large": {"GET /up HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 9000) +
			"\r\n\r\n", 431},
		"an address that is long": {"GET /up?" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n" + host + "\r\n",
			414},
	}
}

func TestRequests_AmbiguousOnesEndTheConnection(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for name, c := range ambiguousRequests(p.Addr) {
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

func TestHost_UnknownNamesAreRefused(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PublicOrigin = []string{"https://board.example"} })
	for _, host := range []string{
		"evil.example", "evil.example:3000", "localhost.", "localhost.evil.example", "127.0.0.1.evil.example",
		"127.1", "0x7f000001", "2130706433",
		"a@127.0.0.1", "[::1%25lo]", "board.example.evil.example", "evil-board.example",
	} {
		t.Run(host, func(t *testing.T) {
			answer, _ := raw(t, p, "GET /process_runs HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			answer.check(t, http.StatusMisdirectedRequest)
		})
	}
}

// Proxies make such requests.
func TestHost_MayBeInTheTargetOfARequest(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	answer, _ := raw(t, p, "GET http://"+p.Addr+"/process_runs HTTP/1.1\r\nHost: "+p.Addr+"\r\n\r\n")
	answer.check(t, http.StatusOK)
}

// dripTime is when the server gives up on an incomplete request.
const dripTime = 10 * time.Second

func TestRequests_IncompleteOnesTimeOut(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	host := fmt.Sprintf("Host: %s\r\n", p.Addr)
	var slow sync.WaitGroup // concurrent, because each takes dripTime
	for name, begins := range map[string]string{
		"a line": "GET /u", "headers": "GET /up HTTP/1.1\r\n" + host + "X-Slow: ",
		"a body": "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType +
			"\r\nContent-Length: 1000\r\n\r\ncount=1&a=",
		"a chunk": "POST /process_runs HTTP/1.1\r\n" + host + "Content-Type: " + formType +
			"\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\ncount=1&a=",
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
		for _, err := io.WriteString(conn, begins); err == nil && !harness.IsOver(stop); _,
			err = io.WriteString(conn, "a") {
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
		t.Errorf("%s: the answer came after %v", name, took)
	}
}
