package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"runboard/e2e/harness"
)

// Scripts arrive over the network in any order. Whichever is late, the page must become live: a script that
// started before the others had loaded would leave it dead.
func TestScripts_AnyLateOneStillConnects(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, harness.AtOnce...)
	for _, script := range []string{"htmx.", "hx-ws.", "app."} {
		t.Run(script+"js is late", func(t *testing.T) {
			b := b.In(t)
			before := harness.TotalOf(b)
			p := openTab(t, delaying(t, b.URL, "/static/"+script)+"/process_runs")
			p.untilLive()
			p.untilSocket("/process_runs/live")
			p.click(button)
			b.WaitUntilDone(before + 10)
			p.untilTrue(b, "/process_runs")
			p.checkRequests("GET /process_runs", "POST /process_runs")
		})
	}
}

// delaying returns the address of a proxy between browser and server. It delays scripts whose path begins
// with prefix by 500 ms, much longer than the browser needs to run the other scripts and their timers.
func delaying(t *testing.T, target, prefix string) (address string) {
	t.Helper()
	program, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(program)
			r.Out.Host = r.In.Host // otherwise page and socket have different origins
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) && strings.HasSuffix(r.URL.Path, ".js") {
			time.Sleep(500 * time.Millisecond)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
