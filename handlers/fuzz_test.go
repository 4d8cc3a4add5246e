package handlers

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"runboard/app"
	"runboard/jobs"
)

// internal matches internals that no answer may contain.
var internal = regexp.MustCompile(`(?i)sqlite|\bsql\b|database/sql|goroutine|runtime error|panic|\.go:\d|\bapp\.|fiber|fasthttp|no such (table|column)|syntax error|/tmp/`)

// fuzzed returns a function that calls a server with a real store and a few runs, without a network.
func fuzzed(f *testing.F, options Options) (ask func(func(*fasthttp.Request)) *fasthttp.Response) {
	f.Helper()
	s := bareServer(f, options, io.Discard)
	goLive(f, s, 30)
	handler := s.fiber.Handler()
	return func(prepare func(*fasthttp.Request)) *fasthttp.Response {
		var c fasthttp.RequestCtx
		c.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
		c.Request.Header.SetHost("127.0.0.1")
		c.Request.Header.Set(fiber.HeaderAccept, fiber.MIMEApplicationJSON)
		prepare(&c.Request)
		handler(&c)
		return &c.Response
	}
}

// harmlessAnswer fails the test unless the answer has one of the statuses and reveals no internals.
func harmlessAnswer(t *testing.T, of string, answer *fasthttp.Response, statuses ...int) {
	t.Helper()
	for _, status := range statuses {
		if answer.StatusCode() == status && (status < 400 || !internal.Match(answer.Body())) {
			return
		}
	}
	t.Fatalf("%q is answered with %d: %s", of, answer.StatusCode(), answer.Body())
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "status=failed", "status=", "status=Failed", "status=failed&status=failed", "before=7",
		"before=7&after=7", "after=-1", "before=%00",
		"kind=test&since=24h&until=2026-11-23&q=out+of+ink", "q=%22", "q=*", "q=(", "q=a%20NOT%20b", "q=%ff",
		"since=1", "before=９", "a=b&;&==",
		"span=1m&lanes=kinds&until=2026-11-23T15:04:05Z", "span=7d", "lanes=", "until=1h",
		"input.a=1", "input.a=1&input.a=2", "input.%00=%ff", "input.=", "run=7",
	} {
		f.Add(seed)
	}
	ask := fuzzed(f, Options{})
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{
			"/process_runs", "/process_runs/bulk", "/process_runs/7/log", "/kinds", "/kinds/test",
			"/process_runs/timeline",
		} {
			answer := ask(func(r *fasthttp.Request) { r.SetRequestURI(path + "?" + query) })
			harmlessAnswer(t, path+"?"+query, answer, 200, 400, 404, 422)
			answer = ask(func(r *fasthttp.Request) {
				r.SetRequestURI(path + "?" + query)
				r.Header.Set(fiber.HeaderAccept, fiber.MIMETextHTML)
			})
			if status := answer.StatusCode(); status >= 500 { // a page may repeat any text of the query
				t.Fatalf("%s?%s is answered with %d: %s", path, query, status, answer.Body())
			}
		}
	})
}

func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"", "count=3", "count=+5", "count=1e3", "count=1&count=2", "kind=test", "kind=rm",
		"idempotency_key=a", "idempotency_key=a&count=7",
		"operation=cancel&scope=all", "operation=delete&id=1&id=2",
		"operation=retry&scope=all&q=%22&status=failed", "operation=cancel&id=x", "%", "=", "&&&",
		"count=%00",
	} {
		f.Add(seed, true)
	}
	f.Add(`{"count":3}`, false)
	f.Add(`{"operation":"cancel","id":[1,2]}`, false)
	f.Add(`{"count":[1]}`, false)
	f.Add(`{"operation":"cancel","id":{"a":1}}`, false)
	ask := fuzzed(f, Options{})
	f.Fuzz(func(t *testing.T, body string, form bool) {
		for _, path := range []string{"/process_runs", "/process_runs/bulk"} {
			answer := ask(func(r *fasthttp.Request) {
				r.Header.SetMethod(fasthttp.MethodPost)
				r.SetRequestURI(path)
				r.SetBodyString(body)
				r.Header.SetContentType(fiber.MIMEApplicationJSON)
				if form {
					r.Header.SetContentType(fiber.MIMEApplicationForm)
				}
			})
			harmlessAnswer(t, path+": "+body, answer, 201, 400, 422, 503) // 503 when too many runs wait
		}
	})
}

// allTypes returns a kind with an input of each type.
func allTypes(f *testing.F) app.Kind {
	f.Helper()
	pattern, err := app.AnchoredPattern("[a-z]+")
	if err != nil {
		f.Fatal(err)
	}
	choices := []app.Choice{{Value: "a"}, {Value: "b"}}
	return app.Kind{Name: "all", Confirm: "{text}?", Inputs: []app.Input{
		{Name: "text", Type: app.TextInput, Word: true}, {Name: "lines", Type: app.LinesInput},
		{Name: "code", Type: app.TextInput, Rules: app.Rules{Pattern: pattern}},
		{Name: "number", Type: app.NumberInput, Rules: app.Rules{Min: "1", Step: "0.5"}},
		{Name: "flag", Type: app.FlagInput, Default: []string{"true"}}, {Name: "day", Type: app.DateInput},
		{Name: "choice", Type: app.ChoiceInput, Choices: choices},
		{Name: "tags", Type: app.ChoicesInput, Choices: choices},
	}}
}

// Any form and any JSON starts runs or is refused, in every format of the answer.
func FuzzCreate(f *testing.F) {
	for _, seed := range []string{
		"", "input.text=a", "input.text=-a", "input.flag=false&input.flag=true", "input.tags=a&input.tags=b",
		"input.number=1.5&count=2", "input.number=1e9", "input.lines=a%0D%0Ab", "input.day=2026-02-30",
		"input.=&input.%00=", "confirmed=&input.text={code}", "confirmed=x&from=kind",
		"input.text=%FF&idempotency_key=a", "kind=none&input.x",
	} {
		f.Add(seed, true)
	}
	for _, seed := range []string{
		`{"inputs":{"text":"a","number":1.5,"flag":false,"tags":["b","a"],"day":"2026-11-27"}}`,
		`{"inputs":null}`, `{"inputs":[]}`, `{"inputs":{"text":null,"text":1}}`,
		`{"inputs":{"text":"\ud800"}}`, `{"inputs":{"number":1e999}}`,
		`{"inputs":{"tags":[[]]}}`, `{"kind":{},"count":[],"inputs":"x"}`, `{"unknown":1}`,
	} {
		f.Add(seed, false)
	}
	work := func(context.Context, *jobs.Run) error { return nil }
	registry, err := jobs.NewRegistry(jobs.Kind{Name: "all", Info: allTypes(f), Work: work})
	if err != nil {
		f.Fatal(err)
	}
	ask := fuzzed(f, Options{Kinds: registry})
	f.Fuzz(func(t *testing.T, body string, form bool) {
		for _, headers := range [][]string{
			{fiber.HeaderAccept, fiber.MIMEApplicationJSON}, {fiber.HeaderAccept, fiber.MIMETextHTML},
			{fiber.HeaderAccept, fiber.MIMETextHTML, "HX-Request", "true", "HX-Request-Type", "partial"},
		} {
			answer := ask(func(r *fasthttp.Request) {
				r.Header.SetMethod(fasthttp.MethodPost)
				r.SetRequestURI("/process_runs")
				r.SetBodyString(body)
				r.Header.SetContentType(fiber.MIMEApplicationJSON)
				if form {
					r.Header.SetContentType(fiber.MIMEApplicationForm)
				}
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
			})
			// The answer may repeat any text of the body. 503: too many runs wait.
			if !slices.Contains([]int{200, 201, 303, 400, 409, 422, 503}, answer.StatusCode()) {
				t.Fatalf("%q is answered with %d: %s", body, answer.StatusCode(), answer.Body())
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"1", "0", "-1", "+1", "99999999999999999999", "%00", "..", "1/../2",
		"1%2f2", "１", "live", "action", "1/status", "1/log", "7/cancel", "a/b/c"} {
		f.Add(seed)
	}
	ask := fuzzed(f, Options{})
	if answer := ask(func(r *fasthttp.Request) {
		r.SetRequestURI("/process_runs/7")
	}); answer.StatusCode() != 200 {
		f.Fatalf("a run is answered with %d", answer.StatusCode()) // the checks below need existing runs
	}
	f.Fuzz(func(t *testing.T, path string) {
		answer := ask(func(r *fasthttp.Request) { r.SetRequestURI("/process_runs/" + path) })
		harmlessAnswer(t, path, answer, 200, 302, 400, 404, 405, 422, 426)
	})
}

func FuzzSocket(f *testing.F) {
	for _, seed := range []string{"\x81\x85\x00\x00\x00\x00hello", "\x88\x80\x00\x00\x00\x00",
		"\x89\x80\x00\x00\x00\x00", "\x81\xff", "\x00", "\xff\xff\xff\xff", "\x81\x05hello", "\xc1\x80aaaa"} {
		f.Add([]byte(seed))
	}
	s := bareServer(f, Options{Limits: Limits{MaxSockets: 100, MaxSocketsPerAddress: 100}}, io.Discard)
	s.sockets.upgrader.Timeouts.PongTimeout = time.Second
	url := strings.Replace(listen(f, s), "http", "ws", 1)
	goLive(f, s, 3)
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, _, err := (&websocket.Dialer{}).Dial(url+"/process_runs/live", nil)
		if err != nil {
			t.Fatalf("the server no longer answers: %v", err)
		}
		if _, err := conn.NetConn().Write(sent); err != nil {
			t.Fatal(err)
		}
		_ = conn.NetConn().(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		for err = nil; err == nil; { // until the server closes it
			_, _, err = conn.ReadMessage()
		}
		if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() {
			t.Fatalf("after %q the socket is held", sent)
		}
		_ = conn.Close()
	})
}
