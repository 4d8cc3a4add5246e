package browser

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"runboard/app"
	"runboard/board"
	"runboard/e2e/harness"
)

// kindsProgram starts a board with kinds in all their states, and returns the paths of pages that show them.
func kindsProgram(t *testing.T) (p *harness.Program, paths []string) {
	t.Helper()
	gate, open := harness.Gate("backup")
	t.Cleanup(open)
	gate = harness.WithInputs(gate)
	gate.Info.Confirm = "Back up {database} now?"
	gate.Info.Concurrency = 1
	kinds := append(manyKinds(13), gate, harness.WorkThat("import", "the disk is full"))
	p = harness.StartProgram(t, nil, kinds...)
	ctx := context.Background()
	create := func(kind, database string) {
		values := app.InputValues{
			{Name: "database", Type: app.ChoiceInput, Texts: []string{database}},
			{Name: "level", Type: app.NumberInput, Texts: []string{"6"}},
			{Name: "hosts", Type: app.LinesInput, Texts: []string{"one\n" + strings.Repeat("two", 50)}},
			{Name: "token", Type: app.SecretInput, Texts: []string{"hunter2"}},
		}
		_, err := p.Store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1, Inputs: values})
		if err != nil {
			t.Fatal(err)
		}
	}
	create("backup", "shop")
	create("backup", "crm")
	for _, kind := range []string{"import", "kind-1"} {
		if _, err := p.Enqueue(ctx, kind); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Store.PauseKind(ctx, "kind-2", true); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Enqueue(ctx, "kind-2"); err != nil {
		t.Fatal(err)
	}
	harness.CountsAre(t, harness.NewExpect(t, p), map[string]any{"started": 1, "created": 2})
	return p, []string{
		"/kinds", "/kinds/backup",
		"/kinds/backup?input.level=10&input.database=x&input.label=-&input.day=2020-01-01",
		"/kinds/kind-2", "/process_runs/1", "/process_runs/2", "/process_runs?kind=backup&input.database=crm",
	}
}

func TestKindPages_AreAccessible(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p, paths := kindsProgram(t)
	for _, path := range paths {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(path+" "+scheme, func(t *testing.T) {
				tab := newTab(t)
				call(tab, emulation.SetEmulatedMedia,
					emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: scheme},
						{Name: "prefers-reduced-motion", Value: "reduce"},
					}})
				tab.do(chromedp.EmulateViewport(1000, 800), chromedp.Navigate(p.URL+path))
				tab.untilLive()
				for _, complaint := range tab.complaints() {
					t.Error(complaint)
				}
				for _, width := range []int64{320, 600, 960, 1920} {
					tab.do(chromedp.EmulateViewport(width, 800))
					if wide := evaluate[int64](tab, "document.documentElement.scrollWidth"); wide > width {
						t.Errorf("the page is %d pixels wide in a window of %d", wide, width)
					}
				}
				if path == "/kinds/backup" {
					tab.click("#start button")
					tab.until("the dialog asks", dialogText+`.includes("Back up shop now?")`)
					for _, complaint := range tab.complaints() {
						t.Error("with the question: ", complaint)
					}
				}
			})
		}
	}
}

func TestKindPage_KeyboardReachesEverything(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	_, tab, _ := startBackup(t, confirming)
	tab.until("the form is there", `document.getElementById("start") !== null`)
	evaluate[bool](tab, `(document.querySelector("#kind_state button").focus(), true)`)
	wanted := []string{"input.database", "input_level", "input_compress", "input.tables", "input.tables",
		"input.tables", "input_label", "input_hosts", "input_day", "input_day", "input_day", "input_day",
		"input_token", "count", "Start 1 run"}
	var reached []string
	for range wanted {
		tab.press(kb.Tab)
		reached = append(reached, evaluate[string](tab, focused))
	}
	if !slices.Equal(reached, wanted) {
		t.Errorf("Tab reaches %q instead of %q", reached, wanted)
	}
	tab.press(" ")
	tab.until("the dialog asks", dialogText+`.includes("Back up shop now?")`)
	tab.press(kb.Tab)
	tab.until("the other answer has the focus", focusText+` === "Start 1 run"`)
	tab.press(kb.Enter)
	tab.until("it is started", noticeText+`.includes("Started 1 run: #1")`)
}

func TestKindPages_LookLikeTheirPictures(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	p := startPicturedKinds(t)
	const backup = "/kinds/backup?input.label=before-update"
	takePictures(t, p.URL, "kinds", "/kinds", 640)
	takePictures(t, p.URL, "kind", backup, 900)
}

// picturedKindsFile declares kinds like those of a small company.
const picturedKindsFile = `kinds:
  backup:
    title: Back up a database
    description: Dumps one database into the backup directory.
    group: Databases
    run: [./work.sh, "{database}", "--level={level}", "{compress}", "{label}"]
    env: {PGHOST: db1, PGUSER: backup}
    timeout: 2h
    attempts: 2
    concurrency: 1
    concurrency_key: [database]
    inputs:
      - name: database
        type: choice
        title: Database
        choices: [shop, {value: crm, title: Customers}, stock]
        default: shop
      - {name: level, type: number, title: Compression level, min: 1, max: 9, default: 6}
      - {name: compress, type: flag, title: Compress, flag: --gzip, default: true}
      - {name: label, type: text, title: Label, help: "Part of the name of the file.", pattern: "[a-z0-9-]+"}
  restore:
    title: Restore a database
    description: Replaces a database by one of its backups.
    group: Databases
    run: [./work.sh]
  deploy:
    title: Deploy a version
    description: Rolls a version out to an environment.
    group: Releases
    run: [./work.sh]
  import-orders:
    title: Import orders
    description: Imports the orders of a day for some customers.
    group: Shop
    run: [./work.sh]
  send-invoices:
    title: Send invoices
    description: Sends all open invoices of a month by mail.
    group: Shop
    run: [./work.sh]
  reindex:
    title: Rebuild the search index
    group: Shop
    run: [./work.sh]
`

// picturedScript takes a second, fails for one database, and takes very long at the highest level.
const picturedScript = `#!/bin/sh
[ "$INPUT_LEVEL" = 9 ] && exec sleep 1000
sleep 1
[ "$INPUT_DATABASE" = crm ] || exit 0
echo "cannot reach db-crm.example.com: connection refused"
exit 1
`

// startPicturedKinds starts a board with the kinds of picturedKindsFile, of which some have runs.
func startPicturedKinds(t *testing.T) *harness.Program {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("work.sh", picturedScript, 0o755)
	file := write("kinds.yaml", picturedKindsFile, 0o644)
	p := harness.StartProgram(t, func(c *board.Config) { c.Kinds = file })
	e := harness.NewExpect(t, p)
	start := func(form map[string]any) {
		request := e.POST("/process_runs")
		for name, value := range form {
			request = request.WithFormField(name, value)
		}
		request.Expect().Status(http.StatusSeeOther)
	}
	for _, kind := range []string{"deploy", "import-orders", "restore"} {
		start(map[string]any{"kind": kind})
	}
	start(map[string]any{"kind": "backup", "count": 3, "input.level": 4, "input.label": "weekly"})
	start(map[string]any{"kind": "backup", "input.database": "crm"})
	harness.WaitUntilDone(t, e)
	start(map[string]any{"kind": "backup", "input.level": 9})
	harness.CountsAre(t, e, map[string]any{"started": 1})
	start(map[string]any{"kind": "backup", "input.label": "nightly"})
	if err := p.Store.PauseKind(context.Background(), "import-orders", true); err != nil {
		t.Fatal(err)
	}
	return p
}
