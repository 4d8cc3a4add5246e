package templates

import (
	"strings"
	"testing"
	"time"

	"runboard/app"
)

// factsOf returns the facts of a run of a kind with a limit of two hours, as "Label: text" lines.
func factsOf(t *testing.T, page app.RunPage) string {
	t.Helper()
	kind := app.Kind{Name: "backup", Policy: app.Policy{Attempts: 3, Timeout: 2 * time.Hour}}
	tmpl, err := New(Options{Asset: func(name string) string { return name }, Kinds: oneKind{kind}})
	if err != nil {
		t.Fatal(err)
	}
	page.Run.Kind = "backup"
	var lines []string
	for _, row := range tmpl.facts(page, noon).Rows {
		lines = append(lines, strings.TrimSpace(row.Label+": "+row.Text+row.Time.Text+" "+row.Note))
	}
	return strings.Join(lines, "\n")
}

func TestFacts_SayHowLongARunTook(t *testing.T) {
	t.Parallel()
	ended := app.RunPage{
		Run: app.ProcessRun{
			Status: app.Completed, Attempt: 1, CreatedAt: noon.Add(-time.Hour),
			StartedAt: noon.Add(-40 * time.Minute), FinishedAt: noon.Add(-30 * time.Minute),
		},
		MedianDuration: 12 * time.Minute, Node: 3,
	}
	want := "Kind: backup\nCreated: 1 h ago\nQueue time: 20 min\n" +
		"Duration: 10 min limit 2 h · usually 12 min\n" +
		"Attempt: 1 of 3\nNode: 3"
	if got := factsOf(t, ended); got != want {
		t.Errorf("the facts are\n%s\nwant\n%s", got, want)
	}
}

func TestFacts_CountFromTheRetryByHand(t *testing.T) {
	t.Parallel()
	retried := app.RunPage{
		Run: app.ProcessRun{
			Status: app.Started, Attempt: 1, FencingToken: 2, CreatedAt: noon.Add(-time.Hour),
			QueuedAt: noon.Add(-25 * time.Second), StartedAt: noon.Add(-5 * time.Second),
		},
	}
	if got := factsOf(t, retried); !strings.Contains(got, "Queue time: 20 s\nDuration: 5 s limit 2 h") {
		t.Errorf("the facts are\n%s", got)
	}
}

func TestFacts_NameTheLimitBeforehand(t *testing.T) {
	t.Parallel()
	created := noon.Add(-9 * time.Second)
	waiting := app.RunPage{Run: app.ProcessRun{CreatedAt: created, UpdatedAt: created}}
	if got := factsOf(t, waiting); !strings.HasSuffix(got,
		"Queue time: 9 s\nDuration:  limit 2 h\nAttempt: none yet") {
		t.Errorf("the facts of a waiting run are\n%s", got)
	}
	cancelled := app.RunPage{Run: app.ProcessRun{Status: app.Cancelled, CreatedAt: noon, FinishedAt: noon}}
	if got := factsOf(t, cancelled); !strings.HasSuffix(got, "just now\nQueue time: <1 ms\nAttempt: none") {
		t.Errorf("the facts of a run that never started are\n%s", got)
	}
}

func TestFacts_CountCrashes(t *testing.T) {
	t.Parallel()
	for crashes, want := range map[int]string{
		0: "Attempt: 1 of 3", 1: "Attempt: 1 of 3, interrupted by a crash once",
		2: "Attempt: 1 of 3, interrupted by a crash 2 times",
	} {
		page := app.RunPage{Run: app.ProcessRun{Status: app.Started, Attempt: 1, Crashes: crashes,
			StartedAt: noon}}
		if got := factsOf(t, page); !strings.HasSuffix(got, want) {
			t.Errorf("after %d crashes the facts are\n%s", crashes, got)
		}
	}
}
