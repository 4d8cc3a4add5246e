package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// growthSizes are the numbers of finished rows.
var growthSizes = []int{1_000, 1_000_000, 10_000_000}

// Repetitions for each size.
const (
	growthReads = 200
	growthRuns  = 100
	startTries  = 5
)

// growthText inserts runs from the last twenty days. One in twenty has failed, and one in twenty is of
// another kind. It drops the search index, which the next start builds anew. Its arguments are the number of
// rows, the current time in ms, and the status of the runs that have not failed.
const growthText = `
	WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < %[1]d)
	INSERT INTO process_runs (kind, status, version, attempt, crashes, fencing_token, error, created_at, updated_at, started_at, finished_at, scheduled_at)
		SELECT iif(id %% 20 = 1, 'backup', 'simulated'), iif(id %% 20 = 0, 3, %[3]d), 3, 1, 0, 1,
			iif(id %% 20 = 0, 'the disk ' || (id %% 97) || ' is full', ''), at, at + 900, at + 100, at + 900, 0
		FROM (SELECT id, %[2]d - 20 * 86400000 * (%[1]d - id) / %[1]d - 1000 AS at FROM ids);
	UPDATE status_counts SET n = (SELECT count(*) FROM process_runs AS run WHERE run.status = status_counts.status);
	DROP TABLE run_search;
	DROP TRIGGER run_search_clear_error`

// filledDatabase returns the path of a database with this many rows. All of them have the status, except
// for the one in twenty that has failed. The database is created on the first call and then reused.
func (b *bench) filledDatabase(rows, status int) (string, error) {
	path := filepath.Join(b.dir, fmt.Sprintf("rows-%d-%d.db", rows, status))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	board, err := b.startBoard(path)
	if err != nil {
		return "", err
	}
	board.stop()
	file, err := openOne("file:" + path + "?_sync=0")
	if err != nil {
		return "", err
	}
	_, err = file.Exec(fmt.Sprintf(growthText, rows, time.Now().UnixMilli(), status))
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	if board, err = b.startBoard(path, idle...); err != nil { // which builds the search index
		return "", err
	}
	board.stop()
	return path, nil
}

// idle keeps the board from working on created runs.
var idle = []string{"--workers=1", "--delay-min=1h", "--delay-max=1h", "--max-pending=100000000"}

// Statuses as stored in the database.
const completed, waiting = 2, 0

// growth compares the same requests on databases of different sizes.
func (b *bench) growth() (string, error) {
	all, paths := make([]samples, len(growthSizes)), make([]string, len(growthSizes))
	var err error
	for i, rows := range growthSizes {
		if paths[i], err = b.filledDatabase(rows, completed); err != nil {
			return "", err
		}
	}
	for range b.rounds {
		for i, rows := range growthSizes {
			one, err := b.growthRound(paths[i], rows)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(os.Stderr, "%d rows: %v\n", rows, one)
			all[i] = append(all[i], one)
		}
	}
	heading := []string{"p50, ms"}
	for _, rows := range growthSizes {
		heading = append(heading, group(float64(rows), 0)+" rows")
	}
	lines := [][]string{append(heading, "last to first")}
	for _, name := range slices.Sorted(maps.Keys(all[0][0])) {
		row := []string{name}
		for _, one := range all {
			row = append(row, fmt.Sprintf("%s (%s)", group(one.median(name), 2), one.spread(name, 2)))
		}
		lines = append(lines, append(row, group(all[len(all)-1].median(name)/all[0].median(name), 2)))
	}
	return fmt.Sprintf("The same requests on databases with ever more finished rows; the lowest and the "+
		"highest round are in brackets. Goal: no more than 1.2 times.\n\n%s", table(lines)), nil
}

// growthRound measures one database with this many rows. All times are medians in ms.
func (b *bench) growthRound(path string, rows int) (sample, error) {
	measured := sample{}
	var starts []float64
	for range startTries {
		took, err := b.startTime(path)
		if err != nil {
			return nil, err
		}
		starts = append(starts, took)
	}
	measured["process start to first page"] = percentile(starts, 50)
	board, err := b.startBoard(path)
	if err != nil {
		return nil, err
	}
	defer board.stop()
	for name, path := range map[string]string{
		"list": "/process_runs", "failed only": "/process_runs?status=failed",
		"of a kind":        "/process_runs?kind=backup",
		"deep in the list": fmt.Sprintf("/process_runs?before=%d", rows/2), "search": "/process_runs?q=disk",
		"one run": fmt.Sprintf("/process_runs/%d", rows/2), "statistics": "/process_runs/statistics",
	} {
		if measured[name], err = board.readTime(path); err != nil {
			return nil, err
		}
	}
	measured["from the request to done, one run"], err = board.doneTime()
	return measured, err
}

// readTime returns the median time to read a page, in ms.
func (s *server) readTime(path string) (float64, error) {
	var took []float64
	for range growthReads {
		began := time.Now()
		response, err := http.Get(s.url + path)
		if err != nil {
			return 0, err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s: %s", path, response.Status)
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	return percentile(took, 50), nil
}

// doneTime returns the median time from a request that creates one run until the run is done, in ms.
func (s *server) doneTime() (float64, error) {
	var took []float64
	for range growthRuns {
		began := time.Now()
		page, err := s.requestJSON(http.MethodPost, "/process_runs", url.Values{"count": {"1"}})
		if err != nil {
			return 0, err
		}
		path := fmt.Sprintf("/process_runs/%d/status", page.Runs[0].ID)
		for done := false; !done; {
			if done, err = s.isDone(path); err != nil {
				return 0, err
			}
		}
		took = append(took, time.Since(began).Seconds()*1000)
	}
	return percentile(took, 50), nil
}

func (s *server) isDone(path string) (bool, error) {
	request, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return false, err
	}
	body, err := read(request)
	return bytes.Contains(body, []byte(`data-status="completed"`)), err
}

// startTime returns the time from the start of the process until the first page has been read, in ms.
func (b *bench) startTime(path string) (float64, error) {
	board, err := b.startBoard(path)
	if err != nil {
		return 0, err
	}
	took := time.Since(board.started).Seconds() * 1000
	board.stop()
	return took, nil
}

func (b *bench) memory() (string, error) {
	rows := [][]string{{"", "measured", "goal"}}
	add := func(what, measured, reach string) { rows = append(rows, []string{what, measured, reach}) }
	var sockets samples
	for range b.rounds {
		each, err := b.socketMemory()
		if err != nil {
			return "", err
		}
		sockets = append(sockets, sample{"each": each})
	}
	add("each of 10,000 idle sockets on the list",
		fmt.Sprintf("%s KB (%s)", group(sockets.median("each"), 1), sockets.spread("each", 1)), "12 KB")
	for _, one := range []struct {
		what, reach  string
		rows, status int
	}{{"with nothing", "", 0, 0}, {"with 1,000,000 waiting runs", "100 MB", 1_000_000, waiting},
		{"with 10,000,000 finished runs", "as with nothing", 10_000_000, completed}} {
		used, err := b.rowMemory(one.rows, one.status)
		if err != nil {
			return "", err
		}
		add(one.what+", after 1,400 pages", group(used, 1)+" MB", one.reach)
	}
	for _, one := range []struct {
		what, reach string
		rows        int
	}{{"empty", "100 ms", 0}, {"with 10,000,000 finished runs", "300 ms", 10_000_000}} {
		took, err := b.medianStart(one.rows)
		if err != nil {
			return "", err
		}
		add("from the start of the process to the first page, "+one.what, group(took, 0)+" ms", one.reach)
	}
	info, err := os.Stat(b.binary)
	if err != nil {
		return "", err
	}
	add("size of the binary", group(float64(info.Size())/1e6, 1)+" MB", "30 MB")
	return "Memory is the anonymous resident memory of the process (RssAnon).\n\n" + table(rows), nil
}

// medianStart returns the median start time on a database with this many completed rows, in ms.
func (b *bench) medianStart(rows int) (float64, error) {
	path := filepath.Join(b.dir, "empty.db")
	if rows > 0 {
		var err error
		if path, err = b.filledDatabase(rows, completed); err != nil {
			return 0, err
		}
	}
	var took []float64
	for range startTries {
		one, err := b.startTime(path)
		if err != nil {
			return 0, err
		}
		took = append(took, one)
	}
	return percentile(took, 50), nil
}

// socketMemory returns the memory that an idle socket takes, in KB.
func (b *bench) socketMemory() (float64, error) {
	const sockets = 10_000
	board, err := b.startBoard("")
	if err != nil {
		return 0, err
	}
	defer board.stop()
	if err := errors.Join(board.createRuns(100), board.waitUntilDone(100)); err != nil {
		return 0, err
	}
	before := memoryOf(board.pid())
	c, err := openCrowd(board.url, "/process_runs/live", sockets, "", func(int, []byte) {})
	if err != nil {
		return 0, err
	}
	defer c.leave()
	time.Sleep(10 * time.Second) // until the memory of the handshakes has been collected
	return (memoryOf(board.pid()) - before) / sockets * 1000, nil
}

// rowMemory returns the memory of the process after it has served pages of all kinds, in MB.
func (b *bench) rowMemory(rows, status int) (float64, error) {
	path := ""
	if rows > 0 {
		var err error
		if path, err = b.filledDatabase(rows, status); err != nil {
			return 0, err
		}
	}
	board, err := b.startBoard(path, idle...)
	if err != nil {
		return 0, err
	}
	defer board.stop()
	for _, path := range []string{
		"/process_runs", "/process_runs?status=failed", "/process_runs?kind=backup", "/process_runs?q=disk",
		"/process_runs?since=1h",
		"/process_runs/failures", "/process_runs/statistics",
	} {
		if _, err := board.readTime(path); err != nil {
			return 0, err
		}
	}
	return memoryOf(board.pid()), nil
}
