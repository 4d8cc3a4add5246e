package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"runboard/e2e/harness"
)

// occupy locks the database, so that the server cannot write, as with a full disk, until letGo is called.
func occupy(t *testing.T, path string) (letGo func()) {
	t.Helper()
	db, err := sqlx.Connect("sqlite3", "file:"+path+"?_busy_timeout=10000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTxx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestDatabase_ServerSurvivesWhenItIsNotWritable(t *testing.T) {
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, nil, kind)
	e := harness.NewExpect(t, p)
	ws, seen := harness.Watch(t, p, "/process_runs/live"), harness.Screen{}
	e.POST("/process_runs").WithFormField("count", 1).Expect().Status(http.StatusSeeOther)
	for seen.Count("started") < 1 {
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	letGo := occupy(t, p.Config.DatabasePath())
	open() // the result of the run cannot be written now
	for _, command := range []string{"", "/1/cancel"} {
		refused := e.POST("/process_runs" + command).WithTransformer(harness.AcceptJSON).Expect().Status(http.StatusServiceUnavailable)
		refused.Header("Retry-After").AsNumber().Gt(0)
		if word := harness.Internals.FindString(refused.Body().Raw()); word != "" {
			t.Errorf("it tells of internals: %s", word)
		}
	}
	e.GET("/up").Expect().Status(http.StatusServiceUnavailable).Header("Retry-After").NotEmpty()
	e.GET("/process_runs").Expect().Status(http.StatusOK)
	e.GET("/process_runs/1/status").Expect().Status(http.StatusOK).Body().Contains(`data-status="started"`)
	letGo()
	harness.Eventually(t, "it is up again", p.Ready)
	for seen.Count("completed") < 1 { // on the same socket, and without a second attempt
		seen.Apply(t, ws.Expect().TextMessage().Body().Raw())
	}
	if got := fmt.Sprint(seen); got != "map[1:{completed 3}]" {
		t.Errorf("what is seen is %s", got)
	}
	if counts := harness.WaitUntilDone(t, e); counts["completed"] != 1.0 {
		t.Errorf("what was refused was done: %v", counts)
	}
}

func TestDatabase_DeletedUnderTheServerIsNoticed(t *testing.T) {
	t.Parallel()
	b := harness.StartProcess(t)
	b.Complains = true
	if err := os.Rename(b.File(), b.File()+".away"); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "/up answers 503", func() error { return b.Answers(http.MethodGet, "/up", http.StatusServiceUnavailable) })
	if err := b.Answers(http.MethodPost, "/process_runs", http.StatusServiceUnavailable); err != nil {
		t.Error(err)
	}
	if err := b.Answers(http.MethodGet, "/process_runs", http.StatusOK); err != nil {
		t.Error(err)
	}
	if text := b.Log.String(); !strings.Contains(text, "the database has been deleted") || !strings.Contains(text, b.File()) {
		t.Errorf("the log is %s", text)
	}
	if err := os.Rename(b.File()+".away", b.File()); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "/up answers 200", func() error { return b.Answers(http.MethodGet, "/up", http.StatusOK) })
	b.Post(1)
}

// The database is locked for longer than the run timeout, and the run writes more output than a pipe buffers.
func TestDatabase_LockedForLongCostsNoRunItsResult(t *testing.T) {
	t.Parallel()
	const timeout = 10 * time.Second
	b := harness.StartProcess(t, "--command", `noisy=/bin/sh -c "/bin/sleep 1; /usr/bin/yes | /usr/bin/head -c 5000000"`, "--run-timeout", timeout.String())
	b.Complains = true
	if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind=noisy", nil); err != nil {
		t.Fatal(err)
	}
	b.UntilStarted(1)
	letGo := occupy(t, b.File())
	time.Sleep(timeout + 2*time.Second)
	letGo()
	b.WaitUntilDone(1)
	if done := b.List("/process_runs?status=completed").ProcessRuns; len(done) != 1 {
		t.Errorf("the run ended as %+v", b.List("/process_runs").ProcessRuns)
	}
	if text := b.Log.String(); !strings.Contains(text, "cannot be written") {
		t.Errorf("the log of the server is %s", text)
	}
}
