package http

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

func TestExport_NDJSON(t *testing.T) {
	t.Parallel()
	const each = 700 // more than one batch
	e := harness.NewExpect(t,
		harness.StartProgram(t, func(c *board.Config) { c.Workers = 100 }, harness.WorkThat("backup", ""),
			harness.WorkThat("import", "=1+1")))
	for _, kind := range []string{"backup", "import"} {
		e.POST("/process_runs").WithFormField("count", each).WithFormField("kind", kind).Expect().
			Status(http.StatusSeeOther)
	}
	harness.WaitUntilDone(t, e)
	for query, want := range map[string]int{"": 2 * each, "kind=import": each,
		"status=completed&since=1h": each, "kind=none": 0, "before=5": 2 * each} {
		answer := e.GET("/process_runs.ndjson").WithQueryString(query).Expect().Status(http.StatusOK)
		answer.Header("Content-Type").IsEqual("application/x-ndjson")
		answer.Header("Content-Disposition").IsEqual(`attachment; filename="process_runs.ndjson"`)
		lines := bufio.NewScanner(strings.NewReader(answer.Body().Raw()))
		n, last := 0, int64(1<<60)
		for ; lines.Scan(); n++ {
			var run struct {
				ID     int64
				Status string
			}
			if err := json.Unmarshal(lines.Bytes(), &run); err != nil || run.ID >= last || run.Status == "" {
				t.Fatalf("after run %d comes %s: %v", last, lines.Text(), err)
			}
			last = run.ID
		}
		if n != want {
			t.Errorf("with %q there are %d lines and not %d", query, n, want)
		}
	}
	for _, path := range []string{"/process_runs.ndjson", "/process_runs.csv"} {
		e.GET(path).WithQuery("status", "done").Expect().Status(http.StatusBadRequest)
		e.POST(path).Expect().Status(http.StatusMethodNotAllowed)
	}
}

// The server does not read ahead of the client: the end of a list that exceeds all buffers on the way (the
// send buffer of the server, up to 4 MB) shows the state at the time when the client gets there.
func TestExport_ReadsNoFasterThanTheClient(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	const batches = 30 // of 1,000 runs each, about 6 MB
	kind, open := harness.Gate("gate")
	defer open()
	p := harness.StartProgram(t, func(c *board.Config) { c.PostRate, c.Workers = 0, 1 }, kind)
	e := harness.NewExpect(t, p)
	for range batches {
		harness.StartRuns(e, app.MaxCount)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: dialWithSmallBuffer}}
	response, err := client.Get(p.URL + "/process_runs.ndjson?status=created")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() {
		t.Fatal("there is nothing to read")
	}
	e.POST("/process_runs/2/cancel").WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusOK)
	n, last := 1, ""
	for ; lines.Scan(); n++ {
		last = lines.Text()
	}
	if lines.Err() != nil || n != batches*app.MaxCount-2 || !strings.HasPrefix(last, `{"id":3,`) {
		t.Errorf("after %d lines comes the last one, %s: %v", n, last, lines.Err())
	}
}

// dialWithSmallBuffer connects with a receive buffer that does not grow.
func dialWithSmallBuffer(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetReadBuffer(64 << 10)
}

func TestExport_CSV(t *testing.T) {
	t.Parallel()
	e := harness.NewExpect(t,
		harness.StartProgram(t, nil, harness.WorkThat("import", "=cmd|' /C calc'!A0, \"quoted\"\nand more")))
	e.POST("/process_runs").WithFormField("count", 3).Expect().Status(http.StatusSeeOther)
	harness.WaitUntilDone(t, e)
	answer := e.GET("/process_runs.csv").Expect().Status(http.StatusOK)
	answer.HasContentType("text/csv", "utf-8")
	records, err := csv.NewReader(strings.NewReader(answer.Body().Raw())).ReadAll()
	if err != nil || len(records) != 4 {
		t.Fatalf("there are %q: %v", records, err)
	}
	for i, record := range records[1:] {
		named := map[string]string{}
		for column, name := range records[0] {
			named[name] = record[column]
		}
		if named["id"] != fmt.Sprint(3-i) || named["status"] != "failed" || named["percent"] != "" ||
			named["finished_at"] == "" ||
			named["error"] != "'=cmd|' /C calc'!A0, \"quoted\"\nand more" {
			t.Errorf("row %d is %q", i, named)
		}
	}
}
