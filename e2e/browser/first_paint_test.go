package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"

	"runboard/e2e/harness"
)

// withSlowScripts returns the URL of a proxy of a board that answers no request for htmx until release is
// called.
func withSlowScripts(t *testing.T, board string) (origin string, release func()) {
	t.Helper()
	target, err := url.Parse(board)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	released := make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/static/htmx.") {
			<-released
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		release()
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL, release
}

// headerPlaces evaluates to where the header and what leads to other pages is.
const headerPlaces = `JSON.stringify([...document.querySelectorAll("header, .brand, nav.pages a")]
	.map((element) => element.getBoundingClientRect()))`

// The header is painted as soon as it has its styles. What is below it waits for the scripts, which keeps the
// first frame small.
func TestPage_PaintsTheHeaderBeforeScriptsRun(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.WorkThat("import", ""))
	origin, release := withSlowScripts(t, p.URL)
	tab := newWindow(t)
	call(tab, page.Navigate, page.NavigateParams{URL: origin + "/process_runs"})
	tab.until("it is painted", firstPaint+" > 0")
	if !evaluate[bool](tab, `document.querySelector("header nav").checkVisibility() &&
		document.querySelector("main") === null`) {
		t.Error("the first frame is not that of the header")
	}
	if style := evaluate[string](tab,
		`getComputedStyle(document.querySelector("header")).borderBlockEndStyle`); style != "solid" {
		t.Errorf("the header has no styles: its border is %s", style)
	}
	before := evaluate[string](tab, headerPlaces)
	release()
	tab.untilLive()
	if after := evaluate[string](tab, headerPlaces); after != before {
		t.Errorf("the header moves from %s to %s", before, after)
	}
}
