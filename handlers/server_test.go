package handlers

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"runboard/app"
	"runboard/jobs"
	"runboard/static"
	"runboard/templates"
)

// broken is a store that fails in the way that its fields say.
type broken struct {
	app.Store // nil, so methods that are not overridden panic
	err       error
}

func (b broken) Page(context.Context, app.Query) (app.Page, error) {
	if b.err == nil {
		panic("dsn=postgres://user:secret@db")
	}
	return app.Page{}, b.err
}

func (b broken) Ready() error { return nil }

// testServer is a server that listens on a port of its own, with its store and its log.
type testServer struct {
	*Server
	url string
}

func newServer(t *testing.T, store app.Store) (testServer, *strings.Builder) {
	t.Helper()
	s, log := startingServer(t,
		Options{Limits: Limits{PostRate: 100, UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10}})
	s.Attach(store, nil)
	return s, log
}

// startingServer returns a listening server before Attach, and its log.
func startingServer(t testing.TB, options Options) (testServer, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	s := bareServer(t, options, log)
	return testServer{s, listen(t, s)}, log
}

// bareServer returns a server that does not listen. Without kinds in its options, it has the kind test.
func bareServer(t testing.TB, options Options, log io.Writer) *Server {
	t.Helper()
	assets, err := static.Load()
	if err != nil {
		t.Fatal(err)
	}
	if options.Kinds == nil {
		options.Kinds = newRegistry(t, "test")
	}
	drawing, err := templates.New(templates.Options{Asset: assets.Path, Kinds: options.Kinds})
	if err != nil {
		t.Fatal(err)
	}
	options.Templates, options.Assets = drawing, assets
	options.Log = slog.New(slog.NewTextHandler(log, nil))
	return New(options)
}

// newRegistry returns a registry of kinds with these names, whose work does nothing.
func newRegistry(t testing.TB, names ...string) *jobs.Registry {
	t.Helper()
	var kinds []jobs.Kind
	for _, name := range names {
		kinds = append(kinds, jobs.Kind{Name: name,
			Work: func(context.Context, *jobs.Run) error { return nil }})
	}
	registry, err := jobs.NewRegistry(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// listen serves until the test ends, and returns the URL.
func listen(t testing.TB, s *Server) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener = smallListener{listener}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// client keeps no connections open, because a shutdown would wait for them.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(t *testing.T, s testServer, path string, headers ...string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestServer_PanicIsAnAnswerWithoutInternals(t *testing.T) {
	s, log := newServer(t, broken{})
	status, body := get(t, s, "/process_runs")
	if status != http.StatusInternalServerError || strings.Contains(body, "secret") {
		t.Errorf("the answer is %d: %s", status, body)
	}
	if !strings.Contains(log.String(), "secret") || !strings.Contains(log.String(), "server_test.go") {
		t.Errorf("the log does not say what happened and where: %s", log)
	}
	if status, _ := get(t, s, "/up"); status != http.StatusOK {
		t.Errorf("afterwards, the answer is %d", status)
	}
}

func TestServer_InternalErrorShowsOnlyAReference(t *testing.T) {
	s, log := newServer(t, broken{err: errors.New("no such table: process_runs (/var/lib/x.db)")})
	status, body := get(t, s, "/process_runs", "Accept", "application/json")
	if status != http.StatusInternalServerError || strings.Contains(body, "table") {
		t.Errorf("the answer is %d: %s", status, body)
	}
	_, after, found := strings.Cut(body, "the reference ")
	if !found || !strings.Contains(log.String(), after[:10]) ||
		!strings.Contains(log.String(), "no such table") {
		t.Errorf("the answer %s does not lead to the log %s", body, log)
	}
}

func TestServer_DatabaseFaultAnswersRetryAfter(t *testing.T) {
	fault := &app.Error{Code: app.CodeUnavailable, Message: "Not now.", Err: errors.New("disk I/O error")}
	s, _ := newServer(t, broken{err: fault})
	status, body := get(t, s, "/process_runs")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "Not now.") ||
		strings.Contains(body, "disk") {
		t.Errorf("the answer is %d: %s", status, body)
	}
}

func TestNegotiate_FollowsTheHeaders(t *testing.T) {
	s, _ := newServer(t, broken{err: app.Errorf(app.CodeNotFound, "Not there.")})
	for _, c := range []struct {
		headers []string
		begins  string
	}{
		{nil, "<!doctype html>"},
		{[]string{"Accept", "*/*"}, "<!doctype html>"},
		{[]string{"Accept", "image/png"}, "<!doctype html>"},
		{[]string{"Accept", "text/html;q=0, */*"}, `{"code":"not_found"`},
		{[]string{"Accept", "Text/HTML; Q=0.000, */*;q=0.1"}, `{"code":"not_found"`},
		{[]string{"Accept", "application/json;q=0, */*"}, "<!doctype html>"},
		{[]string{"Accept", "text/html;q=0, application/json;q=0"}, "<!doctype html>"},
		{[]string{"Accept", "text/html,application/json;q=0.5"}, "<!doctype html>"},
		{[]string{"Accept", "application/json"}, `{"code":"not_found"`},
		{[]string{"Accept", "Application/JSON"}, `{"code":"not_found"`},
		{[]string{"Accept", "application/json; charset=utf-8"}, `{"code":"not_found"`},
		{[]string{"Accept", "application/json;q=1, text/html;q=0.5"}, `{"code":"not_found"`},
		{[]string{"Accept", "text/html;level=1, application/json"}, "<!doctype html>"},
		{[]string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"},
			"<!doctype html>"},
		{[]string{"Accept", "rubbish, ;;, /"}, "<!doctype html>"},
		{[]string{"Accept", "application/json, text/plain, */*"}, `{"code":"not_found"`},
		{[]string{"HX-Request", "true", "HX-Request-Type", "partial"}, `<p class="error">`},
		{[]string{"HX-Request", "true", "HX-Request-Type", "full"}, "<!doctype html>"},
		{[]string{"HX-Request-Type", "partial"}, "<!doctype html>"},
	} {
		if _, body := get(t, s, "/process_runs", c.headers...); !strings.HasPrefix(body, c.begins) {
			t.Errorf("with %v the answer is %s", c.headers, body)
		}
	}
}

func TestServer_StartingOrDrainingRefusesNewWork(t *testing.T) {
	s, _ := newServer(t, broken{err: app.Errorf(app.CodeNotFound, "Not there.")})
	for _, state := range []int32{starting, draining} {
		s.state.Store(state)
		if status, _ := get(t, s, "/up"); status != http.StatusServiceUnavailable {
			t.Errorf("/up answers %d", status)
		}
		status, _ := get(t, s, "/process_runs/live", "Connection", "Upgrade", "Upgrade", "websocket")
		if status != http.StatusServiceUnavailable {
			t.Errorf("a new socket gets %d", status)
		}
	}
}

func TestRateLimit_CountsEachAddressWithBursts(t *testing.T) {
	limit := newRateLimit(0.001)
	if !limit.allow("a") || limit.allow("a") || !limit.allow("b") {
		t.Error("the limit is shared by several addresses")
	}
	generous := newRateLimit(50)
	for i := range 100 {
		if !generous.allow("a") {
			t.Fatalf("the burst ended after %d", i)
		}
	}
	none := newRateLimit(0)
	for range 10_000 {
		if !none.allow("a") {
			t.Fatal("0 is a limit")
		}
	}
	for i := range 2 * maxAddresses {
		limit.allow(strings.Repeat("x", i%7) + string(rune(i)))
	}
	if kept := limit.addresses.Len(); kept > maxAddresses {
		t.Errorf("%d addresses are kept", kept)
	}
}

func TestServer_StartingAnswersUnavailable(t *testing.T) {
	s, _ := startingServer(t, Options{Limits: Limits{UpgradeRate: 100}})
	for _, path := range []string{"/up", "/metrics", "/", "/process_runs", "/process_runs/1",
		"/process_runs/1/log"} {
		if status, body := get(t, s, path); status != http.StatusServiceUnavailable ||
			!strings.Contains(body, "starting") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	if status, _ := get(t, s, "/process_runs/live", upgrade...); status != http.StatusServiceUnavailable {
		t.Errorf("a socket: %d", status)
	}
	if status, _ := get(t, s, s.Assets.Path("app.css")); status != http.StatusOK {
		t.Errorf("a static file: %d", status)
	}
}

// proxies parses ranges of addresses, or addresses.
func proxies(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address := netip.MustParseAddr(text)
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		all = append(all, prefix)
	}
	return all
}

func TestClient_OnlyTrustedProxiesNameIt(t *testing.T) {
	const peer = "127.0.0.1"
	for _, c := range []struct {
		trusted   []string
		forwarded string
		want      string
	}{
		{nil, "203.0.113.7", peer},
		{[]string{"10.0.0.0/8"}, "203.0.113.7", peer},
		{[]string{peer}, "", peer},
		{[]string{peer}, "203.0.113.7", "203.0.113.7"},
		{[]string{peer}, "1.2.3.4, 203.0.113.7", "203.0.113.7"},
		{[]string{peer, "203.0.113.0/24"}, "1.2.3.4, 203.0.113.7", "1.2.3.4"},
		{[]string{"127.0.0.0/8"}, "1.2.3.4, rubbish", peer},
		{[]string{peer}, "1.2.3.4, 10.0.0.1:80", peer},
		{[]string{peer}, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{[]string{peer}, "::ffff:203.0.113.7", "203.0.113.7"},
	} {
		s, _ := startingServer(t, Options{Access: Access{Proxies: proxies(c.trusted...)}})
		var got string
		s.fiber.Server().Handler = func(ctx *fasthttp.RequestCtx) {
			of := s.fiber.AcquireCtx(ctx)
			defer s.fiber.ReleaseCtx(of)
			got = s.address(of)
		}
		get(t, s, "/who", "X-Forwarded-For", c.forwarded)
		if got != c.want {
			t.Errorf("with %v and %q the client is %s, want %s", c.trusted, c.forwarded, got, c.want)
		}
	}
}

func TestWorkerNode_ServesNoPages(t *testing.T) {
	limits := Limits{PostRate: 100, UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10}
	s, _ := startingServer(t, Options{PagesOff: true, Limits: limits})
	s.Attach(broken{}, nil)
	if status, _ := get(t, s, "/up"); status != http.StatusOK {
		t.Errorf("/up answers %d", status)
	}
	for _, path := range []string{
		"/", "/process_runs", "/process_runs/1", "/process_runs/live", "/process_runs.csv",
		"/process_runs/statistics",
	} {
		status, body := get(t, s, path)
		if status != http.StatusNotFound || !strings.Contains(body, "This is a worker node") {
			t.Errorf("%s is answered with %d: %s", path, status, body)
		}
	}
}
