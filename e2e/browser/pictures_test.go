package browser

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"runboard/app"
	"runboard/board"
	"runboard/db/sqlite"
	"runboard/e2e/harness"
)

// pastRun is a run of an afternoon: when it was created, how long it waited, and how its work went.
type pastRun struct {
	kind           string
	created        time.Duration // since the beginning
	waited, worked time.Duration
	err            string // "": completed
}

// afternoon is what a small company's board did in two hours, the same in each test.
func afternoon() (runs []pastRun) {
	random := rand.New(rand.NewPCG(7, 11))
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	for at := time.Duration(0); at < 118*time.Minute; at += between(2*time.Minute, 5*time.Minute) {
		run := pastRun{kind: "import", created: at, waited: between(0, 20*time.Second),
			worked: between(2*time.Minute, 9*time.Minute)}
		switch random.IntN(9) {
		case 0:
			run.err = "exit status 3\ndisk full on /dev/sd4"
		case 1, 2:
			run.kind, run.worked = "backup", between(8*time.Minute, 20*time.Minute)
		case 3, 4:
			run.kind, run.waited = "report", between(time.Minute, 4*time.Minute)
		case 5:
			run.kind, run.worked = "mail", between(20*time.Second, 2*time.Minute)
			if random.IntN(3) > 0 {
				run.err = "dial tcp 10.0.0.7:25: connection refused"
			}
		}
		runs = append(runs, run)
	}
	return runs
}

// createAfternoon creates a database with an afternoon that ends now, and returns its path. Runs that would
// not have ended yet are left out.
func createAfternoon(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "afternoon.db")
	var clock clock
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Synchronous: "normal", Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-2 * time.Hour)
	for _, past := range afternoon() {
		if past.created+past.waited+past.worked > 2*time.Hour-time.Second {
			continue
		}
		clock.set(begin.Add(past.created))
		batch, err := store.Create(t.Context(), app.CreateRequest{Kind: past.kind, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		clock.set(begin.Add(past.created + past.waited))
		run, err := store.Start(t.Context(), batch.Runs()[0])
		if err != nil {
			t.Fatal(err)
		}
		clock.set(begin.Add(past.created + past.waited + past.worked))
		outcome := app.Outcome{Status: app.Completed}
		if past.err != "" {
			outcome = app.Outcome{Status: app.Failed, Error: past.err}
		}
		if err := store.Finish(t.Context(), run, outcome); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// startAfternoon starts a board on an afternoon, with two runs at work and two that wait. The runs end when
// open is called.
func startAfternoon(t *testing.T) (p *harness.Program, open func()) {
	t.Helper()
	path := createAfternoon(t)
	backup, open := harness.Gate("backup")
	p = harness.StartProgram(t, func(c *board.Config) { c.DatabaseURL, c.Workers = "sqlite:"+path, 2 },
		backup, harness.WorkThat("import", ""), harness.WorkThat("report", ""), harness.WorkThat("mail", ""))
	e := harness.NewExpect(t, p)
	harness.StartRunsOf(e, "backup", 2)
	harness.CountsAre(t, e, map[string]any{"started": 2})
	harness.StartRunsOf(e, "report", 1)
	harness.StartRunsOf(e, "mail", 1)
	return p, open
}

func TestBoard_BusyLooksLikeItsPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, open := startAfternoon(t)
	defer open()
	takePictures(t, p.URL, "board", "/process_runs", 860)
}

func TestTimeline_LooksLikeItsPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, open := startAfternoon(t)
	defer open()
	takePictures(t, p.URL, "timeline", "/process_runs/timeline?span=2h&lanes=kinds", 560)
}

func TestFailedRun_LooksLikeItsPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := harness.StartProgram(t, nil, harness.Commands(t, `nightly=sh -c 'for i in 1 2 3 4; do
		printf "\033[32mok\033[0m  packed part %s of 8\n" $i; done; if [ $RUNBOARD_RUN_ID = 1 ]; then for i in 5 6 7 8; do
		printf "\033[32mok\033[0m  packed part %s of 8\n" $i; done; echo "archive written"; exit; fi
		echo "tar: /srv/data/run/agent: socket ignored" >&2; echo "disk full on /dev/sd4" >&2; exit 3'`)...)
	e := harness.NewExpect(t, p)
	for range 2 {
		harness.StartRun(e, "nightly")
		harness.WaitUntilDone(t, e)
	}
	takePictures(t, p.URL, "failed", "/process_runs/2", 620)
	takePictures(t, p.URL, "compare", "/process_runs/2/compare/1", 900)
}
