package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"runboard/app"
	"runboard/jobs"
	"runboard/templates"
)

// Settings of the page benchmark.
const (
	pageClients = 8
	pageTime    = 4 * time.Second
	pageRuns    = 100
)

// pageChild serves the list with net/http and the templates of Runboard. It renders each response from runs
// in memory, and neither reads a store nor checks the request.
func pageChild(*json.Decoder) (sample, error) {
	registry, err := jobs.NewRegistry(jobs.Simulated(0, 0, 0))
	if err != nil {
		return nil, err
	}
	tmpl, err := templates.New(templates.Options{Asset: func(name string) string { return "/static/" + name },
		Kinds: registry})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	page := app.Page{Overview: app.Overview{Counts: app.Counts{app.Completed: pageRuns}}, HasOlder: true}
	for id := int64(pageRuns); id > pageRuns-app.PageSize; id-- {
		page.Runs = append(page.Runs, app.ProcessRun{
			ID: id, Kind: "simulated", Status: app.Completed, Version: 3, Attempt: 1, CreatedAt: now,
			UpdatedAt: now, StartedAt: now, FinishedAt: now,
			Progress: app.Progress{Percent: app.NoPercent},
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", listener.Addr())
	return nil, http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		html, err := tmpl.Board(page, templates.BoardOptions{Key: "key"})
		if err != nil {
			http.Error(w, template.HTMLEscapeString(err.Error()), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html)
	}))
}

// startFull starts a Runboard binary and completes pageRuns runs.
func (b *bench) startFull(binary string) (*server, error) {
	board, err := b.startBinary(binary, "")
	if err != nil {
		return nil, err
	}
	for range pageRuns {
		if err := board.createRuns(1); err != nil {
			board.stop()
			return nil, err
		}
	}
	if err := board.waitUntilDone(pageRuns); err != nil {
		board.stop()
		return nil, err
	}
	return board, nil
}

// page compares the list of Runboard with the same page from memory, and with that of the older binary.
func (b *bench) page() (string, error) {
	board, err := b.startFull(b.binary)
	if err != nil {
		return "", err
	}
	defer board.stop()
	plain, err := startServer(os.Args[0], "-child", "page")
	if err != nil {
		return "", err
	}
	defer func() { _ = plain.cmd.Process.Kill(); _ = plain.cmd.Wait() }()
	names, contenders := []string{"Runboard", "the same page, net/http from memory"}, []*server{board, plain}
	if b.older != "" {
		older, err := b.startFull(b.older)
		if err != nil {
			return "", err
		}
		defer older.stop()
		names, contenders = append(names, "an older Runboard"), append(contenders, older)
	}
	measured := make([]samples, len(contenders))
	for range b.rounds {
		for i, contender := range contenders {
			measured[i] = append(measured[i], contender.pagesIn(pageTime))
		}
	}
	first, later, err := board.visits()
	if err != nil {
		return "", err
	}
	rows := [][]string{{"", "requests/s", "spread", "server CPU a page, µs", "spread", "bytes of a page"}}
	for i, of := range measured {
		rows = append(rows, []string{
			names[i], group(of.median("rate"), 0), of.spread("rate", 0),
			group(of.median("cpu"), 0), of.spread("cpu", 0), group(of.median("bytes"), 0),
		})
	}
	text := fmt.Sprintf("`GET /process_runs` from %d clients with %d connections, %d rows on the "+
		"page.\n\n%s\n",
		pageClients, pageClients, app.PageSize, table(rows))
	if b.older != "" {
		text += fmt.Sprintf("CPU a page against the older one: %.2f (goal: 0.33). ",
			measured[0].median("cpu")/measured[2].median("cpu"))
	}
	return text + fmt.Sprintf("Rate against the page from memory: %.2f (goal: 0.5). "+
		"A first visit with all files is %s bytes, compressed (goal: 60 KB), a later one %s.\n",
		measured[0].median("rate")/measured[1].median("rate"), group(first, 0), group(later, 0)), nil
}

// pagesIn measures how many pages the server answers while the clients request them as fast as they can.
func (s *server) pagesIn(lasting time.Duration) sample {
	var answered, size atomic.Int64
	var clients sync.WaitGroup
	cpu, began := cpuOf(s.pid()), time.Now()
	for range pageClients {
		clients.Go(func() {
			client, request, response := fasthttp.Client{}, fasthttp.AcquireRequest(),
				fasthttp.AcquireResponse()
			request.SetRequestURI(s.url + "/process_runs")
			request.Header.Set("Accept", "text/html")
			for time.Since(began) < lasting {
				if client.Do(request, response) == nil && response.StatusCode() == http.StatusOK {
					answered.Add(1)
					size.Store(int64(len(response.Body())))
				}
			}
		})
	}
	clients.Wait()
	n := float64(answered.Load())
	return sample{"rate": n / time.Since(began).Seconds(), "cpu": (cpuOf(s.pid()) - cpu) / n * 1e6,
		"bytes": float64(size.Load())}
}

var assetPath = regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`)

// visits returns the compressed bytes of a first visit with all its assets, and of a later visit, which has
// the assets cached.
func (s *server) visits() (first, later float64, err error) {
	plain, err := http.NewRequest(http.MethodGet, s.url+"/process_runs", nil)
	if err != nil {
		return 0, 0, err
	}
	html, err := read(plain)
	if err != nil {
		return 0, 0, err
	}
	seen := map[string]bool{"/process_runs": true}
	for _, found := range assetPath.FindAllSubmatch(html, -1) {
		seen[string(bytes.TrimSpace(found[1]))] = true
	}
	for path := range seen {
		size, err := s.compressed(path)
		if err != nil {
			return 0, 0, err
		}
		if first += size; path == "/process_runs" {
			later = size
		}
	}
	return first, later, nil
}

// compressed returns the size of a response body as a browser receives it.
func (s *server) compressed(path string) (float64, error) {
	address, err := url.JoinPath(s.url, path)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd") // so the client does not unpack it
	body, err := read(request)
	return float64(len(body)), err
}
