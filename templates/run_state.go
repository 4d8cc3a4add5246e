package templates

import (
	"cmp"
	"time"

	"runboard/app"
)

// runState is the view model of the line that says how a run is, beside its status.
type runState struct {
	ElementID string
	Phrases   []phrase
}

// phrase is the view model of a part of a sentence: Text, and then a time or a link.
type phrase struct {
	Text  string
	Clock clockTime
	Time  relative
	Link  link
}

func (t *Templates) runState(page app.RunPage, now time.Time) runState {
	run := page.Run
	view := runState{ElementID: runPartID(run.ID, "state")}
	switch {
	case run.CancelRequested():
		view.Phrases = []phrase{{Time: cancelling(run.CancelRequestedAt, now)}}
	case run.Status == app.Started:
		view.Phrases = []phrase{{Text: "running for ", Time: elapsed(run.StartedAt, now)}}
		if left := timeLeft(page, now); left.At != "" {
			view.Phrases = append(view.Phrases, phrase{Time: left})
		}
	case run.Status == app.Created:
		view.Phrases = t.waitingPhrases(page, now)
	default:
		view.Phrases = endPhrases(run)
	}
	return view
}

// endPhrases says how a run ended.
func endPhrases(run app.ProcessRun) (phrases []phrase) {
	if isBulk(run) {
		if text := visible(cmp.Or(run.Error, run.Message)); text != "" {
			phrases = append(phrases, phrase{Text: text})
		}
	}
	if !run.StartedAt.IsZero() {
		return append(phrases, phrase{Text: "took " + between(run.FinishedAt.Sub(run.StartedAt))})
	}
	return append(phrases, phrase{Text: "before it was started"})
}

// waitingPhrases says what a created run waits for, and for how long.
func (t *Templates) waitingPhrases(page app.RunPage, now time.Time) []phrase {
	run := page.Run
	switch {
	case run.Waiting.Paused:
		return []phrase{{Text: "waiting: the kind is paused"}}
	case !run.DueAfter(now).IsZero() && run.Attempt > 0:
		return []phrase{t.nextAttempt(run), {Time: until(run.ScheduledAt, now)}}
	case !run.DueAfter(now).IsZero():
		return []phrase{{Text: "starts ", Time: until(run.ScheduledAt, now)}}
	case page.Unhandled.Has(run.Kind):
		return []phrase{{Text: "waiting: no worker here handles this kind"}}
	}
	phrases := placePhrases(page.Position)
	if limit := decimal(int64(run.Waiting.Limit)); run.Waiting.Limit > 0 {
		full := phrase{Text: limit + " of " + limit + " of its kind running"}
		if by := run.Waiting.By; by > 0 {
			full.Text += ", the oldest is "
			full.Link = link{RunPath(by), "#" + decimal(by)}
		}
		phrases = append(phrases, full)
	}
	if len(phrases) == 0 {
		return []phrase{{Text: "waiting"}}
	}
	return phrases
}

// nextAttempt says which attempt comes when.
func (t *Templates) nextAttempt(run app.ProcessRun) phrase {
	kind, _ := t.kinds.Kind(run.Kind)
	text := "attempt " + decimal(int64(run.Attempt+1)) + " of " + decimal(int64(t.attemptsOf(kind))) + " at "
	return phrase{Text: text, Clock: timeOfDay(run.ScheduledAt)}
}

// placePhrases says which place in the queue a run has, and about how long it waits.
func placePhrases(position app.Position) []phrase {
	var phrases []phrase
	switch {
	case position.Place == 0:
		return nil
	case position.More:
		return []phrase{{Text: "more than " + grouped(app.CountedAhead) + " before it in the queue"}}
	case position.Place == 1:
		phrases = append(phrases, phrase{Text: "next in the queue"})
	default:
		phrases = append(phrases, phrase{Text: ordinal(position.Place) + " in the queue"})
	}
	if position.Wait > 0 {
		wait := max(position.Wait.Round(time.Second), time.Second)
		phrases = append(phrases, phrase{Text: "starts in about " + rough(wait)})
	}
	return phrases
}

// ordinal returns a number from 1 as an ordinal, such as "12th".
func ordinal(n int) string {
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return grouped(int64(n)) + suffix
}

// minWorked is how long work must have gone on for its progress to say when it ends.
const minWorked = time.Second

// timeLeft returns about how much longer a started run takes: from its progress if it reports any, else as
// runs of its kind usually do. It returns the zero relative if there is no estimate.
func timeLeft(page app.RunPage, now time.Time) relative {
	run := page.Run
	took := now.Sub(run.StartedAt)
	var end time.Time
	switch {
	case run.Percent >= 100:
		return relative{}
	case run.Percent > 0 && took >= minWorked:
		end = now.Add(took / time.Duration(run.Percent) * time.Duration(100-run.Percent))
	case run.Percent <= 0 && page.MedianDuration >= leastEstimated && !isBulk(run):
		end = run.StartedAt.Add(page.MedianDuration)
	default:
		return relative{}
	}
	return relative{At: stamp(end), Style: "left", Text: left(end.Sub(now))}
}

// left says how much longer something takes. static/times.js keeps the text up to date in the same words.
func left(d time.Duration) string {
	if d < time.Second {
		return "longer than usual"
	}
	return "about " + rough(d.Truncate(time.Second)) + " left"
}

// leastEstimated is the usual duration below which the end of a run is not estimated: such runs differ by
// chance.
const leastEstimated = 2 * time.Second

// runProgress is the view model of the bar of a started run. It has no Bar for other runs.
type runProgress struct {
	ElementID string
	Bar       *progressBar
}

// progressBar is the view model of a bar: Percent if it is known; else an estimate, which its script moves
// from Since on; else neither is set.
type progressBar struct {
	Percent  string
	Estimate barEstimate
	Texts    []string // below the bar
}

// barEstimate says how far an estimated bar is. Usual is in ms, and "" without an estimate.
type barEstimate struct{ Value, Since, Usual string }

func newRunProgress(page app.RunPage, now time.Time) runProgress {
	run := page.Run
	view := runProgress{ElementID: runPartID(run.ID, "progress")}
	if run.Status != app.Started {
		return view
	}
	bar := &progressBar{}
	switch usual := page.MedianDuration; {
	case run.Percent.Known():
		bar.Percent = decimal(int64(run.Percent))
		bar.Texts = append(bar.Texts, bar.Percent+"%")
	case usual >= leastEstimated && !isBulk(run):
		bar.Estimate = barEstimate{
			Value: decimal(int64(estimatedShare(now.Sub(run.StartedAt), usual))),
			Since: millis(run.StartedAt), Usual: decimal(usual.Milliseconds()),
		}
		bar.Texts = append(bar.Texts, "usually "+lasting(usual))
	}
	if run.Message != "" {
		bar.Texts = append(bar.Texts, visible(run.Message))
	}
	view.Bar = bar
	return view
}

// barLength is the length of an estimated bar, and usualMark where runs usually end.
const (
	barLength = 1000
	usualMark = 800
)

// estimatedShare returns how much of an estimated bar is filled: it grows evenly up to the mark, and ever
// slower beyond it, so that it never claims that the run is done. static/run.js does the same.
func estimatedShare(took, usual time.Duration) float64 {
	share := max(0, float64(took)/float64(usual))
	if share <= 1 {
		return usualMark * share
	}
	return barLength - (barLength-usualMark)/share
}

// problem is the view model of the panel with the error of a run. It has no Text without an error.
type problem struct {
	ElementID   string
	Status      string
	Label, Exit string
	Text        string
	Similar     string // number of failed runs with the same failure
	SimilarPath string // or ""
	ComparePath string // to the last success, or ""
	Note        *failureNote
}

func newProblem(page app.RunPage) problem {
	run := page.Run
	view := problem{ElementID: runPartID(run.ID, "problem"), Note: newFailureNote(page.Failure)}
	if run.Error == "" || isBulk(run) && run.Status != app.Failed {
		return view
	}
	view.Status, view.Label = run.Status.String(), errorLabel(run.Status)
	view.Exit, view.Text = exitCode(run.Error)
	view.Text = visible(view.Text)
	if view.Text == "" {
		view.Text = "The command wrote nothing about it."
		if view.Exit == "SIGKILL" {
			view.Text += " The system ends processes like this when memory runs out."
		}
	}
	if run.Failure > 0 && page.Failure.Runs > 1 {
		view.Similar = grouped(page.Failure.Runs)
		view.SimilarPath = QueryPath(app.Query{Filter: app.Filter{Failure: run.Failure}})
	}
	if page.LastSuccess > 0 {
		view.ComparePath = ComparePath(run.ID, page.LastSuccess)
	}
	return view
}

func errorLabel(status app.Status) string {
	switch status {
	case app.Failed:
		return "Error"
	case app.Cancelled:
		return "Reason"
	}
	return "Last error"
}
