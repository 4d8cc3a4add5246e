package http

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gavv/httpexpect/v2"
	"github.com/gorilla/websocket"

	"runboard/board"
	"runboard/e2e/harness"
)

func TestSocket_BeginsWithASnapshot(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, nil)
	e := harness.NewExpect(t, p)
	e.POST("/process_runs").Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)

	list := harness.Watch(t, p, "/process_runs/live").Expect().TextMessage().Body()
	list.HasPrefix(`<hx-partial hx-target="#process_runs" hx-swap="outerMorph"><tbody id="process_runs">`)
	list.Contains(`<b id="count_completed">10</b>`).Contains(`<tr id="process_run_10">`).
		Contains(`<tr id="process_run_1">`)

	run := harness.Watch(t, p, "/process_runs/7/live").Expect().TextMessage().Body()
	run.HasPrefix(`<td id="process_run_7_status" data-status="completed" data-version="3" data-at="`).
		Contains(`" hx-swap-oob="outerMorph"><span class="badge">completed`)
	run.Contains(`<b id="count_completed">10</b>`)

	older := harness.Watch(t, p, "/process_runs/live?before=4").Expect().TextMessage().Body()
	older.Contains(`<tr id="process_run_3">`).NotContains(`<tr id="process_run_4">`)
	harness.Watch(t, p, "/process_runs/live?status=failed").Expect().TextMessage().Body().
		Contains("No failed runs")
}

func TestSocket_SeesEveryRunToItsEnd(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) {
		c.DelayMin, c.DelayMax, c.Workers = 300*time.Millisecond, 900*time.Millisecond, 20
	})
	sockets := []*httpexpect.Websocket{harness.Watch(t, p, "/process_runs/live"),
		harness.Watch(t, p, "/process_runs/live")}
	for _, ws := range sockets {
		ws.Expect().TextMessage().Body().Contains("Nothing has been started yet")
	}
	harness.NewExpect(t, p).POST("/process_runs").Expect().Status(http.StatusSeeOther)
	for _, ws := range sockets {
		seen, sawStarted := harness.Screen{}, false
		for len(seen) < 10 || seen.Count("completed") < 10 {
			seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
			sawStarted = sawStarted || seen.Count("started") > 0
		}
		if !sawStarted {
			t.Error("no run was seen started")
		}
	}
}

func TestSocket_OfARunShowsOnlyThatRun(t *testing.T) {
	t.Parallel()
	p := harness.StartProgram(t,
		func(c *board.Config) { c.DelayMin, c.DelayMax = 300*time.Millisecond, 400*time.Millisecond })
	harness.NewExpect(t, p).POST("/process_runs").Expect().Status(http.StatusSeeOther)
	ws, seen := harness.Watch(t, p, "/process_runs/5/live"), harness.Screen{}
	for seen["5"].Status != "completed" {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	if len(seen) != 1 {
		t.Errorf("it shows %v", seen)
	}
}

func TestSocket_MissingRunIsClosedForGood(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	harness.Watch(t, p, "/process_runs/999/live").Expect().CloseMessage().Code(websocket.ClosePolicyViolation)
	for path, status := range map[string]int{
		"/process_runs/abc/live":                 http.StatusNotFound,
		"/process_runs/%31/live":                 http.StatusNotFound,
		"/process_runs/live?before=x":            http.StatusBadRequest,
		"/process_runs/live?status=FAILED":       http.StatusBadRequest,
		"/process_runs/live?before=1&before=2":   http.StatusBadRequest,
		"/process_runs/live?before=1&after=2":    http.StatusBadRequest,
		"/process_runs/live?unknown=1&status=":   http.StatusSwitchingProtocols,
		"/process_runs/live?before=9&status=":    http.StatusSwitchingProtocols,
		"/process_runs/live?status=failed&after": http.StatusSwitchingProtocols,
	} {
		if got := knock(t, p.URL+path, nil); got != status {
			t.Errorf("%s: the answer is %d and not %d", path, got, status)
		}
	}
}

func TestSocket_RefusesOtherOrigins(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.PublicOrigin = []string{"https://board.example"} })
	live := p.URL + "/process_runs/live"
	for _, origin := range []string{"https://evil.example", "null", "http://127.0.0.1:1", "file://",
		"http://board.example"} {
		if got := knock(t, live, map[string]string{"Origin": origin}); got != http.StatusForbidden {
			t.Errorf("from %s: the answer is %d", origin, got)
		}
	}
	for _, origin := range []string{p.URL, "https://board.example"} {
		if got := knock(t, live, map[string]string{"Origin": origin}); got != http.StatusSwitchingProtocols {
			t.Errorf("from %s: the answer is %d", origin, got)
		}
	}
	for host, status := range map[string]int{
		"evil.example":           http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest,
		"localhost":              http.StatusSwitchingProtocols, "[::1]:80": http.StatusSwitchingProtocols,
		"Board.Example": http.StatusSwitchingProtocols,
	} {
		if got := knock(t, live, map[string]string{"Host": host}); got != status {
			t.Errorf("for %s: the answer is %d", host, got)
		}
	}
	answer, _ := raw(t, p,
		"GET /process_runs/live HTTP/1.1\r\nHost: "+p.Addr+
			"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Origin: "+p.URL+"\r\nOrigin: https://evil.example\r\n\r\n")
	answer.check(t, http.StatusBadRequest)
	harness.NewExpect(t, p).GET("/process_runs/live").Expect().Status(http.StatusUpgradeRequired).
		Header("Upgrade").IsEqual("websocket")
}

func TestSocket_ClosesAClientThatSendsMessages(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	for size, code := range map[int]int{1: websocket.ClosePolicyViolation,
		512: websocket.ClosePolicyViolation, 513: websocket.CloseMessageTooBig} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			ws := harness.Watch(t, p, "/process_runs/live")
			ws.Expect().TextMessage()
			ws.WriteText(strings.Repeat("x", size))
			ws.Expect().CloseMessage().Code(code)
		})
	}
}

func TestSocket_CountIsLimited(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.MaxSocketsPerAddress = 2 })
	first := harness.Watch(t, p, "/process_runs/live")
	first.Expect().TextMessage()
	harness.Watch(t, p, "/process_runs/live").Expect().TextMessage()
	if got := knock(t, p.URL+"/process_runs/live", nil); got != http.StatusTooManyRequests {
		t.Errorf("the third one gets %d", got)
	}
	first.Disconnect()
	harness.Eventually(t, "a slot is free again", func() error {
		if got := knock(t, p.URL+"/process_runs/live", nil); got != http.StatusSwitchingProtocols {
			return fmt.Errorf("the answer is %d", got)
		}
		return nil
	})
}

func TestSocket_UpgradesHaveARateLimit(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	limited := harness.StartProgram(t, func(c *board.Config) { c.UpgradeRate = 0.01 })
	harness.Watch(t, limited, "/process_runs/live").Expect().TextMessage()
	if status := knock(t, limited.URL+"/process_runs/live", nil); status != http.StatusTooManyRequests {
		t.Errorf("the second is answered %d", status)
	}
	unlimited := harness.StartProgram(t, func(c *board.Config) { c.UpgradeRate = 0 })
	for range 500 { // more than the default burst
		status := knock(t, unlimited.URL+"/process_runs/live", nil)
		if status != http.StatusSwitchingProtocols {
			t.Fatalf("without a limit the answer is %d", status)
		}
	}
}

// TestSocket_IsCountedBeforeTheUpgrade opens more sockets than the limit allows, all at the same time.
func TestSocket_IsCountedBeforeTheUpgrade(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, func(c *board.Config) { c.MaxSockets, c.UpgradeRate = 10, 0 })
	var mu sync.Mutex
	var opened []*websocket.Conn
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.URL, "http")+
				"/process_runs/live", nil)
			if err != nil {
				if response == nil || response.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("the answer is %v: %v", response, err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, conn)
		})
	}
	all.Wait()
	if len(opened) != 10 {
		t.Errorf("%d sockets were opened", len(opened))
	}
	for _, conn := range opened {
		if _, _, err := conn.ReadMessage(); err != nil {
			t.Errorf("a socket was accepted and then closed: %v", err)
		}
		_ = conn.Close()
	}
}

// knock requests a socket and returns the status of the answer. It closes the socket again.
func knock(t *testing.T, url string, headers map[string]string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
	} {
		request.Header.Set(name, value)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	request.Host = headers["Host"]
	response, err := harness.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	refused := response.StatusCode == http.StatusServiceUnavailable ||
		response.StatusCode == http.StatusTooManyRequests
	if refused && response.Header.Get("Retry-After") == "" {
		t.Errorf("%s: Retry-After is missing", response.Status)
	}
	return response.StatusCode
}

func TestSocket_ShutdownClosesWithRestart(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	ws, seen := harness.Watch(t, p, "/process_runs/live"), harness.Screen{}
	harness.NewExpect(t, p).POST("/process_runs").WithFormField("count", "3").Expect().
		Status(http.StatusSeeOther)
	for seen.Count("started") < 3 {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.Stop()
	}()
	harness.Eventually(t, "the program drains", func() error {
		if p.Ready() == nil {
			return fmt.Errorf("the server is still ready")
		}
		return nil
	})
	harness.NewExpect(t, p).GET("/up").Expect().Status(http.StatusServiceUnavailable).Header("Retry-After").
		NotEmpty()
	harness.NewExpect(t, p).POST("/process_runs").Expect().Status(http.StatusServiceUnavailable)
	if got := knock(t, p.URL+"/process_runs/live", nil); got != http.StatusServiceUnavailable {
		t.Errorf("a new socket gets %d", got)
	}
	harness.NewExpect(t, p).GET("/process_runs").Expect().Status(http.StatusOK)
	open() // running work may finish, and the socket still shows it
	for seen.Count("completed") < 3 {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	ws.Expect().CloseMessage().Code(websocket.CloseServiceRestart)
	<-stopped
}

// Otherwise a refused client could keep a slot for as long as it sends pings.
func TestSocket_RefusedClientCannotKeepItOpen(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil)
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.URL, "http")+
		"/process_runs/999/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer conn.Close()
	conn.SetCloseHandler(func(int, string) error { return nil }) // it does not answer the close frame
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Fatalf("the socket reads %v", err)
	}
	harness.Eventually(t, "the connection ends", func() error {
		err := conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(harness.Patience))
		if err == nil {
			return errors.New("it still takes pings")
		}
		return nil
	})
}
