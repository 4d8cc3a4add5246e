package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"runboard/e2e/harness"
)

// sharedBrowser starts one browser for all tests. All tabs are in one window and share a profile: Chromium
// renders the controls of a window as a page, so a window for each tab doubled the CPU time of the tests. The
// boards have ports of their own, and so do the storage and the cache of their pages.
var sharedBrowser = sync.OnceValues(func() (context.Context, error) {
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil,
			fmt.Errorf("the browser tests need Chromium: apt-get install chromium, or name one in CHROMIUM (%w)", err)
	}
	profile, err := os.MkdirTemp("", "runboard-chromium-")
	if err != nil {
		return nil, err
	}
	harness.CleanUpLater(func() { _ = os.RemoveAll(profile) })
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	harness.CleanUpLater(cancel)
	ctx, _ := chromedp.NewContext(allocator)
	harness.CleanUpLater(func() { _ = chromedp.Cancel(ctx) })
	return ctx, chromedp.Do(ctx)
})

// tab is an open page. It records what the browser reports about the page. A report that must never occur,
// such as a violation of the content security policy or an uncaught exception, fails the test at its end.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string // such as "GET /process_runs", without assets
	sockets  []*socketSeen
	problems []string
	expected *regexp.Regexp // matches problems that the test expects
}

// socketSeen is a WebSocket that the page has opened.
type socketSeen struct {
	id           network.RequestID
	path         string // with the query
	open, closed bool
	frames       int
}

// noteScript runs in every page before its own scripts. It records each status that a status cell has shown,
// and logs violations where the test sees them.
const noteScript = `(() => {
	window.seen = {};
	const note = () => {
		for (const cell of document.querySelectorAll("td[data-version]")) {
			const states = (window.seen[cell.id] ??= []);
			const state = cell.dataset.version + " " + cell.dataset.status;
			if (states.at(-1) !== state) states.push(state);
		}
	};
	new MutationObserver(note).observe(document,
		{subtree: true, childList: true, attributes: true, attributeFilter: ["data-version", "data-status"]});
	window.submits = [];
	addEventListener("submit", (event) => window.submits.push(event.timeStamp), true);
	addEventListener("securitypolicyviolation", (event) =>
		console.error("violation of " + event.effectiveDirective + " by " +
			(event.blockedURI || event.sample)));
})()`

// openTab opens a page in a new tab, after the actions in prepare.
func openTab(t testing.TB, url string, prepare ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	p := newTab(t)
	p.do(prepare...)
	p.do(chromedp.Navigate(url))
	evaluate[bool](p, "window.notReloaded = true")
	return p
}

// newTab opens an empty page.
func newTab(t testing.TB) *tab {
	t.Helper()
	return noting(bareTab(t))
}

// newWindow opens an empty page in a window of its own. Chromium paints only the tab in front of a window, so
// a page whose picture is taken needs one.
func newWindow(t testing.TB) *tab {
	t.Helper()
	return noting(bareWindow(t))
}

// bareWindow opens a window without noteScript, which would take time.
func bareWindow(t testing.TB) *tab {
	t.Helper()
	alone := true
	return createTab(t, target.CreateTargetParams{URL: "about:blank", NewWindow: &alone})
}

// noting makes the page of a tab run noteScript.
func noting(p *tab) *tab {
	p.t.Helper()
	call(p, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: noteScript})
	return p
}

// bareTab opens an empty page without noteScript, which would take time.
func bareTab(t testing.TB) *tab {
	t.Helper()
	// In the background, because a tab that Chromium activates when another one is closed loses its focus.
	background := true
	return createTab(t, target.CreateTargetParams{URL: "about:blank", Background: &background})
}

// createTab opens a tab.
func createTab(t testing.TB, params target.CreateTargetParams) *tab {
	t.Helper()
	browser, err := sharedBrowser()
	if err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t}
	created, err := chromedp.Call(browser, target.CreateTarget, params)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser,
		chromedp.WithTargetID(created.TargetID), chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() { p.cleanUp(); cancel() })
	if err := chromedp.Do(ctx); err != nil { // without a deadline, which would end the tab
		t.Fatal(err)
	}
	call(p, log.Enable, cdp.Empty{})
	call(p, network.Enable, network.EnableParams{})
	// Makes the page behave as if it were visible and had the focus, which only one of many tabs can have.
	call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		p.noteRequest(e)
	case *network.EventWebSocketCreated:
		p.sockets = append(p.sockets, &socketSeen{id: e.RequestID, path: pathOf(e.URL)})
	case *network.EventWebSocketHandshakeResponseReceived:
		p.socket(e.RequestID).open = true
	case *network.EventWebSocketFrameReceived:
		p.socket(e.RequestID).frames++
	case *network.EventWebSocketClosed:
		p.socket(e.RequestID).closed = true
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.problems = append(p.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			p.problems = append(p.problems, textOf(e.Args))
		}
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems,
			"uncaught: "+e.ExceptionDetails.Text+" "+
				textOf([]*runtime.RemoteObject{e.ExceptionDetails.Exception}))
	}
}

func (p *tab) noteRequest(e *network.EventRequestWillBeSent) {
	if e.RedirectResponse != nil {
		p.requests = append(p.requests, fmt.Sprint("answer ", e.RedirectResponse.Status))
	}
	if path := pathOf(e.Request.URL); !strings.HasPrefix(path, "/static/") &&
		!strings.HasPrefix(e.Request.URL, "data:") {
		p.requests = append(p.requests, e.Request.Method+" "+path)
	}
}

func (p *tab) socket(id network.RequestID) *socketSeen {
	for _, s := range p.sockets {
		if s.id == id {
			return s
		}
	}
	return &socketSeen{}
}

func textOf(objects []*runtime.RemoteObject) string {
	var text []string
	for _, object := range objects {
		if object != nil {
			text = append(text, string(object.Value)+object.Description)
		}
	}
	return strings.Join(text, " ")
}

// pathOf returns a URL without scheme and host.
func pathOf(url string) string {
	if _, rest, found := strings.Cut(url, "://"); found {
		if slash := strings.Index(rest, "/"); slash >= 0 {
			return rest[slash:]
		}
	}
	return url
}

// expectProblems ignores problems that match pattern, because the test causes them.
func (p *tab) expectProblems(pattern string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = regexp.MustCompile(pattern)
}

// lostServer matches the problems that the browser reports when the server is gone.
const lostServer = `WebSocket connection to 'ws://[^']*' failed|htmx:ws:error|` +
	`^Failed to load resource: net::ERR_(CONNECTION|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE)`

func (p *tab) unexpected() (problems []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, problem := range p.problems {
		if p.expected == nil || !p.expected.MatchString(problem) {
			problems = append(problems, problem)
		}
	}
	return problems
}

func (p *tab) cleanUp() {
	if problems := p.unexpected(); problems != nil {
		p.t.Errorf("the browser reports:\n%s", strings.Join(problems, "\n"))
	}
	if p.t.Failed() {
		text, err := chromedp.Run(p.ctx,
			chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		p.t.Logf("a page at the end of the test (%v), with the sockets %v: %.3000s", err, p.openSockets(),
			text)
	}
	// Another board may get the same port later. A page that shows an error has no storage.
	_, _ = tryEvaluate[chromedp.Void](p, "localStorage.clear()")
}

func call[P, R any](p *tab, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, command, params); err != nil {
		p.t.Fatal(err)
	}
}

// do performs actions of a user or of the browser, in order.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, harness.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// evaluate returns the value of a JavaScript expression in the page.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := tryEvaluate[T](p, expression)
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func tryEvaluate[T any](p *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, harness.Patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// until waits until a JavaScript expression is true in the page.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	harness.Eventually(p.t, what, func() error {
		switch is, err := tryEvaluate[bool](p, expression); {
		case err != nil:
			return err
		case !is:
			return errors.New("it is not")
		}
		return nil
	})
}

func (p *tab) untilLive() {
	p.t.Helper()
	p.until("the page is live", `document.getElementById("connection").dataset.state === "live"`)
}

func (p *tab) untilNotLive() {
	p.t.Helper()
	p.until("the page says that it is not live",
		`["offline", "connecting"].includes(document.getElementById("connection").dataset.state)`)
}

func (p *tab) untilRows(n int) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page has %d rows", n),
		fmt.Sprintf(`document.querySelectorAll("#process_runs tr[id]").length === %d`, n))
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// submitSearch sends the search in the header as the Enter key does.
func (p *tab) submitSearch() {
	p.t.Helper()
	evaluate[bool](p, `document.getElementById("find").requestSubmit(), true`)
}

// press presses a key, or several in order.
func (p *tab) press(key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
}
