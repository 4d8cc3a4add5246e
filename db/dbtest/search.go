package dbtest

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runboard/app"
)

// testSearch tests the search for words in errors and logs. A store that cannot search must fail with
// CodeInvalid.
func testSearch(t *testing.T, subject Subject) {
	f := open(t, subject)
	if _, err := f.store.Page(ctx, app.Query{Filter: app.Filter{Text: "disk"}}); err != nil {
		f.refused(err, app.CodeInvalid)
		return
	}
	t.Run("finds words, prefixes and punctuation", func(t *testing.T) { f.inside(t).checkWords(t) })
	t.Run("finds parts of scripts without spaces", func(t *testing.T) { checkScripts(t, open(t, subject)) })
	t.Run("finds words across error and log parts", func(t *testing.T) { checkSpread(t, subject) })
	t.Run("finds words written in pieces", func(t *testing.T) { checkPieces(t, subject) })
	t.Run("refuses a text without words", func(t *testing.T) {
		for _, text := range []string{"🙂", "--", "/ . *", "™ €"} {
			_, err := f.store.Page(ctx, app.Query{Filter: app.Filter{Text: text}})
			f.inside(t).refused(err, app.CodeMalformed)
		}
	})
	t.Run("finds more matches than one page may look at", func(t *testing.T) { checkManyMatches(t, subject) })
	t.Run("a bulk action changes all matches of its preview", func(t *testing.T) {
		checkBulkSearch(t, open(t, subject))
	})
	t.Run("says that there is no run with a number", func(t *testing.T) { checkMissingRun(open(t, subject)) })
	t.Run("does not find bulk runs", func(t *testing.T) { checkOwnTexts(t, subject) })
	t.Run("does not find an error that a retry cleared",
		func(t *testing.T) { checkCleared(open(t, subject)) })
	t.Run("finds the current texts after random changes", func(t *testing.T) { checkIndexed(t, subject) })
}

// failedWith creates a run that fails with an error.
func (f fixture) failedWith(text string) app.ProcessRun {
	f.Helper()
	return f.finish(f.in(app.Started), app.Outcome{Status: app.Failed, Error: text})
}

func checkMissingRun(f fixture) {
	f.failedWith("see #77")
	for text, want := range map[string]int64{"#99": 99, "#1": 0, "#77": 0, "99": 0, "none": 0} {
		if got := f.page(app.Query{Filter: app.Filter{Text: text}}).MissingRun; got != want {
			f.Fatalf("searching for %s, the run %d is missing, want %d", text, got, want)
		}
	}
}

// writes saves each text in an update of its own for a started run, and returns the run.
func (f fixture) writes(run app.ProcessRun, texts ...string) app.ProcessRun {
	f.Helper()
	for _, text := range texts {
		f.ok(f.store.SaveProgress(ctx, run, app.ProgressUpdate{Lines: []app.LogLine{{Text: text}}}))
	}
	return run
}

// found returns the ids of all runs that a search finds, page by page.
func (f fixture) found(filter app.Filter) (found []int64) {
	f.Helper()
	page := f.page(app.Query{Filter: filter})
	for found = ids(page.Runs); page.HasOlder; {
		page = f.page(page.Older())
		found = append(found, ids(page.Runs)...)
	}
	return found
}

func (f fixture) finds(text string, want ...app.ProcessRun) {
	f.Helper()
	if got := f.found(app.Filter{Text: text}); !slices.Equal(got, ids(want)) && len(got)+len(want) > 0 {
		f.Fatalf("%q finds %v and not %v", text, got, ids(want))
	}
}

// checkSpread tests runs whose words are spread over the error and several parts of the log.
func checkSpread(t *testing.T, subject Subject) {
	f := openWith(t, subject, Settings{LogLimit: 1 << 20})
	part := strings.Repeat(strings.Repeat("filler ", 100)+"\n", 20)
	run := f.writes(f.in(app.Started), "alpha first\n")
	for _, word := range []string{"beta", "gamma"} {
		f.writes(run, slices.Repeat([]string{part[:len(part)/4]}, 8)...)
		f.writes(run, word+"\n")
	}
	f.finish(run, app.Outcome{Status: app.Failed, Error: "timed out"})
	near := f.failedWith("timed beta")
	for text, want := range map[string][]app.ProcessRun{
		"timed alpha": {run}, "alpha gamma timed": {run}, "gamma beta alp": {run}, "out filler first": {run},
		"timed": {near, run}, "beta timed": {near, run}, "timed delta": nil,
	} {
		f.inside(t).finds(text, want...)
	}
	cut := openWith(t, subject, Settings{LogLimit: 4096})
	kept := cut.writes(cut.in(app.Started), "oldest\n")
	cut.writes(kept, slices.Repeat([]string{strings.Repeat("filler ", 100) + "\n"}, 20)...)
	cut.writes(kept, "newest\n")
	cut.inside(t).finds("oldest") // dropped from the log
	cut.inside(t).finds("newest", kept)
}

// checkPieces tests words that are written in two pieces, within one part of a log and across two parts.
func checkPieces(t *testing.T, subject Subject) {
	f := openWith(t, subject, Settings{LogLimit: 4096}).inside(t) // parts of 512 bytes
	run := f.writes(f.in(app.Started), "over", "flow\n", "数据", "库 ")
	f.finds("overflow", run)
	f.finds("flow")
	f.finds("over x")
	f.finds("据库", run)
	for size := 400; size < 520; size += 7 {
		split := f.writes(f.in(app.Started), strings.Repeat("x ", size/2)+"frag",
			"mentation"+strings.Repeat(" y", 100)+"\n")
		f.finds("fragmentation", split)
		f.ok(f.store.Finish(ctx, split, app.Outcome{Status: app.Completed}))
		f.ok(f.store.Delete(ctx, split.ID))
	}
	f.finds("fragmentation")
	both := f.in(app.Started)
	f.ok(f.store.SaveProgress(ctx, both, app.ProgressUpdate{Lines: []app.LogLine{
		{Stream: app.Stdout, Text: "continue"}, {Stream: app.Stderr, Text: "failure\n"}, {Stream: app.Stdout,
			Text: "yes\n"},
	}}))
	f.finds("continue failure yes", both)
	f.finds("continuefailure")
}

// checkManyMatches searches for a word that more runs have than one page may look at, in both directions.
func checkManyMatches(t *testing.T, subject Subject) {
	f := openWith(t, subject, Settings{Searched: 100}).inside(t)
	var rare, all []int64
	for batch := range 21 {
		for i, run := range f.create(1000)[:8] {
			outcome := app.Outcome{Status: app.Cancelled, Error: "needle in the hay"}
			if i == 5 && batch >= 15 { // the search from the oldest run stops several times before
				outcome = app.Outcome{Status: app.Failed, Error: "rare needle"}
				rare = append(rare, run.ID)
			}
			f.ok(f.store.Finish(ctx, f.writes(f.start(run), "a needle, too\n"), outcome))
			all = append(all, run.ID)
		}
	}
	slices.Reverse(rare)
	slices.Reverse(all)
	for text, want := range map[string][]int64{"needle rare": rare, "need": all, "needle": all} {
		if got := f.found(app.Filter{Text: text}); !slices.Equal(got, want) {
			t.Errorf("of %d runs, %q finds %d", len(want), text, len(got))
		}
		if got := f.through(app.Filter{Text: text}); !slices.Equal(got, want) {
			t.Errorf("of %d runs, an export of %q has %d", len(want), text, len(got))
		}
		if got := f.foundFromOldest(app.Filter{Text: text}); !slices.Equal(got, want) {
			t.Errorf("of %d runs, %q finds %d from the oldest on", len(want), text, len(got))
		}
	}
	page := f.page(app.Query{Filter: app.Filter{Text: "needle"}})
	if page.MatchCount >= len(all) || page.MatchCount < 30 || !page.MatchCountCapped {
		t.Errorf("of %d runs, the match count is %d, capped %t", len(all), page.MatchCount,
			page.MatchCountCapped)
	}
	failed := app.Filter{Text: "needle", Filtered: true, Status: app.Failed}
	if got := f.found(failed); !slices.Equal(got, rare) {
		t.Errorf("of %d failed runs, it finds %d", len(rare), len(got))
	}
	preview, err := f.store.PreviewBulk(ctx, app.BulkAction{Operation: app.BulkDelete,
		Filter: app.Filter{Text: "needle"}})
	if f.ok(err); preview.Runs != int64(len(all)) || preview.More {
		t.Errorf("of %d runs, the preview is %+v", len(all), preview)
	}
}

// through returns what found returns, but reads with Runs, as an export does.
func (f fixture) through(filter app.Filter) (found []int64) {
	f.Helper()
	for next := int64(1 << 62); next > 0; {
		runs, onwards, err := f.store.Runs(ctx, filter, next, 50)
		f.ok(err)
		found, next = append(found, ids(runs)...), onwards
	}
	return found
}

// foundFromOldest returns what found returns, but reads from the oldest run on.
func (f fixture) foundFromOldest(filter app.Filter) (found []int64) {
	f.Helper()
	page := f.page(app.Query{Filter: filter}.WithCursor(app.After, 0))
	for found = ids(page.Runs); page.HasNewer; {
		before := page.Query
		if page = f.page(page.Newer()); page.Query == before {
			f.Fatalf("the newer page of %+v is the page itself", before)
		}
		found = append(ids(page.Runs), found...)
	}
	return found
}

// checkBulkSearch deletes many runs that a search finds. The texts of the bulk run contain the word, too.
func checkBulkSearch(t *testing.T, f fixture) {
	const many = 600 // more than one part of an action
	for _, run := range f.create(many) {
		started, err := f.store.Start(ctx, run)
		f.ok(err)
		f.ok(f.store.Finish(ctx, started, app.Outcome{Status: app.Failed, Error: "disks offline"}))
	}
	other := f.failedWith("no paper")
	filter := app.Filter{Text: "disk"}
	run := f.startBulk(app.BulkAction{Operation: app.BulkDelete, Filter: filter}, app.BulkPreview{Runs: many})
	state := f.advanceWhile(run, func(state app.BulkProgress) bool {
		f.writes(run, "delete all runs, with the words disk\n")
		return !state.Finished
	})
	if state.Done != many || state.Skipped != 0 {
		t.Errorf("of %d runs, the progress is %+v", many, state)
	}
	f.inside(t).finds("disk")
	f.inside(t).finds("pap", other)
}

// checkOwnTexts tests that a search finds no bulk runs, whether they fail, are cancelled or crash.
func checkOwnTexts(t *testing.T, subject Subject) {
	f := openWith(t, subject, Settings{MaxCrashes: 1}).inside(t)
	f.in(app.Failed)
	for _, operation := range app.BulkOperations() {
		run, err := f.store.CreateBulkAction(ctx, app.BulkAction{Operation: operation}, "")
		f.ok(err)
		run = f.writes(f.start(run), "needle\n")
		f.finish(run, app.Outcome{Status: app.Failed, Error: "needle"})
		f.finds("needle")
		if got := f.found(app.Filter{Text: "needle", Kind: operation.Kind()}); len(got) > 0 {
			t.Errorf("with the kind of the bulk run it finds %v", got)
		}
	}
	if subject.Reopen == nil {
		return
	}
	run, err := f.store.CreateBulkAction(ctx, app.BulkAction{Operation: app.BulkRetry}, "")
	f.ok(err)
	f.start(run)
	f.store = subject.Reopen(f, f.store)
	if f.finds("crashed"); f.get(run.ID).Status != app.Failed {
		t.Errorf("the status is %v", f.get(run.ID).Status)
	}
}

func checkCleared(f fixture) {
	run := f.failedWith("disk full")
	f.finds("disk", run)
	retried, err := f.store.Retry(ctx, run.ID)
	f.ok(err)
	f.finds("disk")
	started := f.start(retried)
	f.finish(started, app.Outcome{Status: app.Failed, Error: "network down"})
	f.finds("disk")
	f.finds("network", run)
}

// checkIndexed compares searches with the texts of all runs after random changes.
func checkIndexed(t *testing.T, subject Subject) {
	words := []string{"ant", "bee", "cat", "dog", "crashed", "dropped"}
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t, subject)
		m.fixture = openWith(t, subject, Settings{MaxPending: modelMaxPending, MaxCrashes: modelMaxCrashes,
			MaxLogBytes: 100})
		m.create(t)
		word := func() string { return rapid.SampledFrom(words[:4]).Draw(t, "word") }
		operations := map[string]func(*rapid.T){
			"search": func(t *rapid.T) { m.compareIndex(t, words) },
			"create": m.create, "start": m.start, "requeue": m.requeue, "cancel": m.cancel, "retry": m.retry,
			"write": func(t *rapid.T) {
				if attempt, _, holds := m.attempt(t); holds {
					m.writes(attempt, word()+" "+word()+"\n")
				}
			},
			"finish": func(t *rapid.T) {
				attempt, run, holds := m.attempt(t)
				if !holds {
					return
				}
				outcome := app.Outcome{Status: rapid.SampledFrom([]app.Status{app.Completed, app.Failed,
					app.Created}).Draw(t, "status")}
				if outcome.Status != app.Completed {
					outcome.Error = word()
				}
				m.expect(t, m.store.Finish(ctx, attempt, outcome), "")
				m.ended(t, run, outcome)
			},
			"trim": func(t *rapid.T) {
				_, err := m.store.TrimLogs(ctx)
				m.expect(t, err, "")
			},
			"delete": func(t *rapid.T) {
				if id, run, exists := m.anyone(t); exists && run.Status.Final() {
					m.expect(t, m.store.Delete(ctx, id), "")
					delete(m.runs, id)
				}
			},
		}
		if subject.Reopen != nil {
			operations["crash"] = m.crash
		}
		t.Repeat(operations)
		m.compareIndex(t, words)
	})
}

func (m *model) compareIndex(t *rapid.T, words []string) {
	runs := m.all()
	texts := make([]string, len(runs))
	for i, run := range runs {
		texts[i] = run.Error + text(m.log(whole(run.ID, 0)).Lines)
	}
	for _, word := range words {
		var want []int64
		for i, run := range runs {
			if strings.Contains(texts[i], word) {
				want = append(want, run.ID)
			}
		}
		if got := m.found(app.Filter{Text: word}); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Fatalf("%q finds %v and not %v", word, got, want)
		}
	}
}
