package templates

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"runboard/app"
)

// startedAgo returns the page of a run that started a time before noon.
func startedAgo(d time.Duration, percent app.Percent, usual time.Duration) app.RunPage {
	return app.RunPage{
		Run: app.ProcessRun{
			Status: app.Started, StartedAt: noon.Add(-d), Progress: app.Progress{Percent: percent},
		},
		MedianDuration: usual,
	}
}

func TestTimeLeft_FollowsProgressOrUsualDuration(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, test := range map[string]struct {
		page app.RunPage
		want string
	}{
		"half done":               {startedAgo(12*time.Second, 50, 0), "about 12 s left"},
		"hardly begun":            {startedAgo(12*time.Second, 1, 0), "about 19 min left"},
		"nearly done":             {startedAgo(200*time.Second, 99, 0), "about 2 s left"},
		"done":                    {startedAgo(12*time.Second, 100, 0), ""},
		"too early":               {startedAgo(500*time.Millisecond, 50, 0), ""},
		"nothing known":           {startedAgo(12*time.Second, app.NoPercent, 0), ""},
		"as usual":                {startedAgo(12*time.Second, app.NoPercent, minute), "about 48 s left"},
		"no progress yet":         {startedAgo(12*time.Second, 0, minute), "about 48 s left"},
		"progress beats usual":    {startedAgo(12*time.Second, 50, minute), "about 12 s left"},
		"longer than usual":       {startedAgo(2*minute, app.NoPercent, minute), "longer than usual"},
		"too short for estimates": {startedAgo(0, app.NoPercent, time.Second), ""},
	} {
		if got := timeLeft(test.page, noon).Text; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestEstimatedShare_NeverReachesTheEnd(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]float64{
		-time.Second: 0, 0: 0, 30 * time.Second: 400, time.Minute: usualMark, 2 * time.Minute: 900,
		10 * time.Minute: 980,
	} {
		if got := estimatedShare(took, time.Minute); got != want {
			t.Errorf("after %v of a minute the bar is at %v, want %v", took, got, want)
		}
	}
	if got := estimatedShare(1000*time.Hour, time.Minute); got >= barLength {
		t.Errorf("after a thousand hours the bar is at %v", got)
	}
}

func TestOrdinal_HasTheRightEnding(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th",
		1001: "1,001st",
	} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %q, want %q", n, got, want)
		}
	}
}

// inWords returns the phrases of a page as one text.
func inWords(phrases []phrase) string {
	var parts []string
	for _, one := range phrases {
		parts = append(parts, one.Text+one.Clock.Text+one.Time.Text+one.Link.Text)
	}
	return strings.Join(parts, " · ")
}

func TestRunState_SaysHowARunIs(t *testing.T) {
	t.Parallel()
	failing := kindWithAttempts("backup", 3)
	tmpl, err := New(Options{
		Asset: func(name string) string { return name }, Kinds: failing,
		Now: func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	unhandled := app.Overview{Unhandled: app.UnhandledKinds{{Kind: "other", Runs: 1}}}
	const second = time.Second
	for want, page := range map[string]app.RunPage{
		"waiting":                                {Run: app.ProcessRun{Kind: "backup"}},
		"next in the queue":                      {Position: app.Position{Place: 1}},
		"12th in the queue":                      {Position: app.Position{Place: 12}},
		"more than 1,000 before it in the queue": {Position: app.Position{Place: 1001, More: true}},
		"12th in the queue · starts in about 3 min": {
			Position: app.Position{Place: 12, Wait: 3*time.Minute + 12*second}},
		"2nd in the queue · 3 of 3 of its kind running, the oldest is #7": {
			Run:      app.ProcessRun{Waiting: app.Waiting{Limit: 3, By: 7}},
			Position: app.Position{Place: 2}},
		"waiting: the kind is paused": {Run: app.ProcessRun{Waiting: app.Waiting{Paused: true}}},
		"waiting: no worker here handles this kind": {Run: app.ProcessRun{Kind: "other"},
			Overview: unhandled},
		"starts in 8 s": {Run: app.ProcessRun{ScheduledAt: noon.Add(8 * second)}},
		"attempt 2 of 3 at 12:00:08 UTC · in 8 s": {
			Run: app.ProcessRun{Kind: "backup", Attempt: 1, ScheduledAt: noon.Add(8 * second)}},
		"running for 3 s":                   startedAgo(3*second, app.NoPercent, 0),
		"running for 3 s · about 57 s left": startedAgo(3*second, app.NoPercent, time.Minute),
		"cancelling… no reaction for 6 s": {Run: app.ProcessRun{Status: app.Started,
			CancelRequestedAt: noon.Add(-6 * second)}},
		"took 22 ms": {Run: app.ProcessRun{Status: app.Completed, StartedAt: noon,
			FinishedAt: noon.Add(22 * time.Millisecond)}},
		"before it was started": {Run: app.ProcessRun{Status: app.Cancelled, FinishedAt: noon}},
		"334 runs queued again · took 2 s": {Run: app.ProcessRun{Kind: app.BulkRetry.Kind(),
			Status:   app.Completed,
			Progress: app.Progress{Message: "334 runs queued again"}, StartedAt: noon,
			FinishedAt: noon.Add(2 * second)}},
	} {
		if got := inWords(tmpl.runState(page, noon).Phrases); got != want {
			t.Errorf("the state is %q, want %q", got, want)
		}
	}
}

func TestProgress_SpellsPercentagesAsTheBoard(t *testing.T) {
	t.Parallel()
	tmpl, err := New(Options{Asset: func(name string) string { return name },
		Kinds: kindWithAttempts("backup", 1)})
	if err != nil {
		t.Fatal(err)
	}
	page := startedAgo(time.Second, 60, 0)
	row := newMessage(page.Run, noon).Text
	if got := newRunProgress(page, noon).Bar.Texts; !strings.HasPrefix(row, "60% ") || got[0] != "60%" {
		t.Errorf("the row says %q, and the page of the run %q", row, got)
	}
	if got := tmpl.runTitle(page.Run).Text; !strings.HasPrefix(got, "60% #") {
		t.Errorf("the title is %q", got)
	}
}

// kindWithAttempts is a source with one kind, which has a number of attempts.
func kindWithAttempts(name string, attempts int) oneKind {
	return oneKind{app.Kind{Name: name, Policy: app.Policy{Attempts: attempts}}}
}

type oneKind struct{ kind app.Kind }

func (k oneKind) Kinds() []app.Kind { return []app.Kind{k.kind} }

func (k oneKind) Kind(name string) (app.Kind, bool) { return k.kind, name == k.kind.Name }

func TestProblem_ShowsTheErrorOnceInFull(t *testing.T) {
	t.Parallel()
	noted := app.Failure{ID: 7, Runs: 1, Triage: app.Triage{Note: "INC-42"}}
	for name, test := range map[string]struct {
		page app.RunPage
		want problem
	}{
		"no error": {app.RunPage{Run: app.ProcessRun{Status: app.Completed}}, problem{}},
		"a command": {
			app.RunPage{Run: app.ProcessRun{Status: app.Failed, Error: "exit status 3\none\ntwo", Failure: 7},
				Failure: app.Failure{Runs: 1002}},
			problem{Status: "failed", Label: "Error", Exit: "exit 3", Text: "one\ntwo", Similar: "1,002",
				SimilarPath: "/process_runs?failure=7"},
		},
		"an error with a note": {
			app.RunPage{Run: app.ProcessRun{Status: app.Failed, Error: "boom", Failure: 7}, Failure: noted},
			problem{Status: "failed", Label: "Error", Text: "boom", Note: newFailureNote(noted)},
		},
		"a silent command": {
			app.RunPage{Run: app.ProcessRun{Status: app.Failed, Error: "exit status 1"}},
			problem{Status: "failed", Label: "Error", Exit: "exit 1",
				Text: "The command wrote nothing about it."},
		},
		"a killed command": {
			app.RunPage{Run: app.ProcessRun{Status: app.Failed, Error: "ended by the signal SIGKILL"}},
			problem{Status: "failed", Label: "Error", Exit: "SIGKILL", Text: "The command wrote nothing about it. " +
				"The system ends processes like this when memory runs out."},
		},
		"the only one of its failure": {
			app.RunPage{Run: app.ProcessRun{Status: app.Failed, Error: "boom", Failure: 7},
				Failure: app.Failure{Runs: 1}},
			problem{Status: "failed", Label: "Error", Text: "boom"},
		},
		"another attempt follows": {
			app.RunPage{Run: app.ProcessRun{Status: app.Created, Attempt: 1, Error: "boom"}},
			problem{Status: "created", Label: "Last error", Text: "boom"},
		},
		"a cancelled run": {
			app.RunPage{Run: app.ProcessRun{Status: app.Cancelled, Error: "It was no longer needed."}},
			problem{Status: "cancelled", Label: "Reason", Text: "It was no longer needed."},
		},
		"an earlier success": {
			app.RunPage{Run: app.ProcessRun{ID: 9, Status: app.Failed, Error: "boom"}, LastSuccess: 4},
			problem{Status: "failed", Label: "Error", Text: "boom", ComparePath: "/process_runs/9/compare/4"},
		},
	} {
		got := newProblem(test.page)
		got.ElementID = ""
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, test.want)
		}
	}
}
