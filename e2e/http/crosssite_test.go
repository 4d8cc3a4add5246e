package http

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"runboard/board"
	"runboard/e2e/harness"
)

// fetchMetadata returns the headers with which a browser describes a request.
func fetchMetadata(site, mode, dest string) map[string]string {
	headers := map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
	maps.DeleteFunc(headers, func(_, value string) bool { return value == "" })
	return headers
}

func TestCrossSiteReads_OnlyNavigationsAreLetIn(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, path := range []string{
		"/process_runs?q=secret", "/process_runs.ndjson", "/process_runs.csv?q=a", "/process_runs/failures",
		"/metrics", "/static/none.css", "/nowhere", "/",
	} {
		own := send(t, p.URL, attempt{method: "GET", path: path}, nil).status
		for _, c := range []struct {
			headers map[string]string
			refused bool
		}{
			{fetchMetadata("same-origin", "cors", "empty"), false},
			{fetchMetadata("none", "navigate", "document"), false},
			{fetchMetadata("cross-site", "navigate", "document"), false},
			{fetchMetadata("same-site", "navigate", "document"), false},
			{fetchMetadata("cross-site", "navigate", "iframe"), true},
			{fetchMetadata("cross-site", "navigate", ""), true},
			{fetchMetadata("cross-site", "no-cors", "image"), true},
			{fetchMetadata("cross-site", "no-cors", "document"), true},
			{fetchMetadata("same-site", "no-cors", "script"), true},
			{fetchMetadata("same-site", "cors", "empty"), true},
			{fetchMetadata("cross-site", "", ""), true},
			{fetchMetadata("same-site", "", ""), true},
		} {
			want := own
			if c.refused {
				want = http.StatusForbidden
			}
			for _, method := range []string{"GET", "HEAD"} {
				answer := send(t, p.URL, attempt{method: method, path: path, headers: c.headers}, nil)
				if got := answer.status; got != want {
					t.Errorf("%s %s with %v: %d, want %d", method, path, c.headers, got, want)
				}
			}
		}
	}
	answer := send(t, p.URL,
		attempt{method: "GET", path: "/up", headers: fetchMetadata("cross-site", "no-cors", "image")}, nil)
	if answer.status != http.StatusOK {
		t.Errorf("/up answers a load balancer on another site with %d", answer.status)
	}
}

func TestEveryAnswer_KeepsOtherSitesOut(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, path := range []string{"/", "/up", "/metrics", "/process_runs", "/process_runs/1", "/nowhere",
		"/static/none.css", "/process_runs.csv", "/process_runs/live"} {
		header := send(t, p.URL, attempt{method: "GET", path: path}, nil).header
		for _, name := range []string{"Cross-Origin-Resource-Policy", "Cross-Origin-Opener-Policy"} {
			if got := header.Values(name); len(got) != 1 || got[0] != "same-origin" {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
	answer, _ := raw(t, p, "hello\r\n\r\n") // answers to unreadable requests have the same headers
	if answer.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("an unreadable request is answered with %v", answer.header)
	}
}

func TestDoubledHeaders_AreRefused(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.Auth = "anna:open-sesame" })
	host := "Host: " + p.Addr + "\r\n"
	for _, method := range []string{"GET", "POST"} {
		for _, headers := range []string{
			"Origin: " + p.URL + "\r\nOrigin: " + p.URL + "\r\n",
			"Origin: " + p.URL + "\r\norigin: https://evil.example\r\n",
			"Authorization: Basic YTpi\r\nauthorization: Basic YTpi\r\n",
			"Authorization: Basic YTpi\r\nX: y\r\nAuthorization: Bearer x\r\n",
		} {
			for _, path := range []string{"/process_runs", "/up"} {
				answer, _ := raw(t, p,
					method+" "+path+" HTTP/1.1\r\n"+host+headers+"Content-Length: 0\r\n\r\n")
				answer.check(t, http.StatusBadRequest)
			}
		}
	}
}

func TestSocketOrigin_NeedsTheSameScheme(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	behindTLS := map[string]string{"X-Forwarded-Proto": "https"}
	for name, c := range map[string]struct {
		proxies []string
		origin  string // %s is the address of the server
		headers map[string]string
		status  int
	}{
		"the same":                        {origin: "http://%s", status: 101},
		"another scheme":                  {origin: "https://%s", status: 403},
		"no web scheme":                   {origin: "ws://%s", status: 403},
		"no scheme":                       {origin: "//%s", status: 403},
		"a path":                          {origin: "http://%s/x", status: 403},
		"a name before the host":          {origin: "http://a@%s", status: 403},
		"another port":                    {origin: "http://127.0.0.1:1", status: 403},
		"no port":                         {origin: "http://127.0.0.1", status: 403},
		"a stranger says that it was TLS": {origin: "https://%s", headers: behindTLS, status: 403},
		"a proxy says that it was TLS": {proxies: []string{"127.0.0.1"}, origin: "https://%s",
			headers: behindTLS, status: 101},
		"a proxy, and no TLS in the page": {proxies: []string{"127.0.0.1"}, origin: "http://%s",
			headers: behindTLS, status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.StartProgram(t, func(config *board.Config) { config.TrustedProxy = c.proxies })
			origin := c.origin
			if strings.Contains(origin, "%s") {
				origin = fmt.Sprintf(origin, p.Addr)
			}
			from := sender{headers: map[string]string{"Origin": origin}}
			maps.Copy(from.headers, c.headers)
			socket := door{method: "socket", path: "/process_runs/live"}
			if got := enter(t, p.URL, socket, from, credentials{}); got != c.status {
				t.Errorf("a socket from %s is answered with %d, want %d", origin, got, c.status)
			}
			if c.status == http.StatusForbidden { // older browsers send only Origin with a POST
				post := door{method: "POST", path: "/process_runs"}
				if got := enter(t, p.URL, post, from, credentials{}); got != c.status {
					t.Errorf("a form from %s is answered with %d", origin, got)
				}
			}
		})
	}
}

func TestPublicOrigin_HostNeedsItsScheme(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(config *board.Config) {
		config.PublicOrigin = []string{"https://board.example:443", "http://intranet:8080"}
	})
	for _, c := range []struct {
		host, origin string
		allowed      bool
	}{
		{"board.example", "https://board.example", true},
		{"board.example:443", "https://Board.example", true},
		{"board.example", "http://board.example", false}, // an attacker in the network can serve that page
		{"board.example:443", "http://board.example:443", false},
		{"board.example:3000", "http://board.example:3000", true}, // without the proxy
		{"board.example:3000", "https://board.example:3000", false},
		{"intranet:8080", "http://intranet:8080", true},
		{"intranet:8080", "https://intranet:8080", false},
		{"127.0.0.1:3000", "https://board.example", true},
	} {
		from := sender{headers: map[string]string{"Host": c.host, "Origin": c.origin}}
		for method, want := range map[string]int{"socket": http.StatusSwitchingProtocols,
			"POST": http.StatusSeeOther} {
			path := "/process_runs"
			if method == "socket" {
				path += "/live"
			}
			if !c.allowed {
				want = http.StatusForbidden
			}
			if got := enter(t, p.URL, door{method: method, path: path}, from, credentials{}); got != want {
				t.Errorf("%s to %s from a page of %s: %d, want %d", method, c.host, c.origin, got, want)
			}
		}
	}
}

func TestPaths_TrailingSlashIsNotFound(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, path := range []string{
		"/process_runs/", "/process_runs//", "/up/", "/metrics/", "/process_runs/failures/",
		"/process_runs/statistics/", "/process_runs/timeline/", "/process_runs/1/compare/2/",
		"/process_runs/1/compare/",
		"/process_runs/1/status/",
		"/process_runs/1/", "/process_runs/1/log/", "/process_runs.csv/", "/process_runs/live/",
	} {
		send(t, p.URL, attempt{method: "GET", path: path}, nil).check(t, http.StatusNotFound)
	}
	for _, path := range []string{"/process_runs/", "/process_runs/1/cancel/"} {
		send(t, p.URL, attempt{method: "POST", path: path}, nil).check(t, http.StatusNotFound)
	}
}

func TestAccept_LongOnesAreNotWeighed(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for _, c := range []struct {
		padding int
		want    string
	}{{900, "application/json"}, {1100, "text/html; charset=utf-8"}} {
		accept := "application/json;q=1," + strings.Repeat("a", c.padding) + "/b;q=0.1"
		answer := send(t, p.URL, attempt{method: "GET", path: "/process_runs"},
			map[string]string{"Accept": accept})
		if got := answer.header.Get("Content-Type"); answer.status != http.StatusOK || got != c.want {
			t.Errorf("an Accept of %d bytes is answered with %d, %s", len(accept), answer.status, got)
		}
	}
}

// oldRequest makes an HTTP/1.0 request and returns everything until the connection is closed.
func oldRequest(t *testing.T, p *harness.Program, path, headers string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n%s\r\n", path, p.Addr, headers)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestStreams_AreNotChunkedForOldClients(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	const runs = 1200 // more than one batch
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 100 },
		harness.WorkThat("job", "bad\nnews"))
	e := harness.NewExpect(t, p)
	for range 2 {
		e.POST("/process_runs").WithFormField("count", runs/2).Expect().Status(http.StatusSeeOther)
	}
	harness.WaitUntilDone(t, e)
	for _, path := range []string{"/process_runs.ndjson", "/process_runs.csv", "/process_runs/1/log",
		"/process_runs/1/log?follow=1"} {
		for _, headers := range []string{"", "Connection: keep-alive\r\n"} {
			response, body := oldRequest(t, p, path, headers)
			if response.StatusCode != http.StatusOK || len(response.TransferEncoding) > 0 {
				t.Errorf("%s: %s with %v", path, response.Status, response.TransferEncoding)
			}
			if want := send(t, p.URL, attempt{method: "GET", path: path}, nil).body; body != want {
				t.Errorf("%s in HTTP/1.0 has %d bytes, and in HTTP/1.1 %d: %.200q", path, len(body),
					len(want), body)
			}
		}
	}
}

func TestCostlyReads_HaveALimit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	for _, path := range []string{
		"/process_runs?q=disk", "/process_runs/bulk?operation=delete&scope=all&q=disk",
		"/process_runs.ndjson", "/process_runs.csv?status=failed", "/process_runs/1/log?follow=1",
		"/process_runs/1/log?follow=01",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			p := harness.StartProgram(t, func(c *board.Config) { c.PostRate = 0.01 }) // a burst of one
			first := send(t, p.URL, attempt{method: "GET", path: path}, nil)
			if first.status == http.StatusTooManyRequests {
				t.Error("the first one is refused")
			}
			second := send(t, p.URL, attempt{method: "GET", path: path}, nil)
			second.check(t, http.StatusTooManyRequests)
			if second.header.Get("Retry-After") == "" {
				t.Error("Retry-After is missing")
			}
			for range 10 {
				send(t, p.URL, attempt{method: "GET", path: "/process_runs?q=&status=failed"}, nil).
					check(t, http.StatusOK)
			}
			send(t, p.URL, attempt{method: "POST", path: "/process_runs"}, nil).check(t, http.StatusSeeOther)
		})
	}
}

func TestSocket_LimitsTheRateOfPings(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for name, kind := range map[string]int{"pings": websocket.PingMessage, "pongs": websocket.PongMessage} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.URL, "http")+
				"/process_runs/live", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for range 20 {
				_ = conn.WriteControl(kind, nil, time.Now().Add(harness.Patience))
			}
			_ = conn.SetReadDeadline(time.Now().Add(harness.Patience))
			for err == nil {
				_, _, err = conn.ReadMessage()
			}
			if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
				t.Errorf("the socket is closed with %v", err)
			}
		})
	}
}

func TestSocket_APingNowAndThenIsAnswered(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.URL, "http")+"/process_runs/live",
		nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answered := 0
	conn.SetPongHandler(func(string) error { answered++; return nil })
	go func() {
		for range 8 {
			_ = conn.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(harness.Patience))
			time.Sleep(time.Second)
		}
		_ = conn.WriteControl(websocket.CloseMessage,
			websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(harness.Patience))
	}()
	_ = conn.SetReadDeadline(time.Now().Add(harness.Patience))
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	if answered != 8 || !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("%d of 8 pings are answered, and then comes %v", answered, err)
	}
}
