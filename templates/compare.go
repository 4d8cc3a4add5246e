package templates

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"runboard/app"
)

// Comparison is the content of the page that compares two runs.
type Comparison struct {
	Left, Right app.RunPage
	Logs        app.LogComparison
}

// comparePage is the view model of that page.
type comparePage struct {
	Layout layout
	Note   string // about runs of different kinds, or ""
	Heads  []comparedRun
	Inputs []comparedInput
	Stages []comparedStage
	Log    comparedLogs
}

// comparedRun is the view model of one of the runs.
type comparedRun struct {
	Path, Name, Kind, Status string
	Attempt                  string
	Created                  clockTime
	Exit, Error              string
}

// comparedInput is the view model of an input of either run.
type comparedInput struct {
	Label       string
	Left, Right shownInput
	Differs     bool
}

// comparedStage is the view model of a part of the time that the runs took.
type comparedStage struct {
	Name        string
	Left, Right stageTime
	Difference  string
}

// stageTime is the view model of a duration, with its bar in percent of the longer one.
type stageTime struct{ Text, Width string }

// Compare renders the page that compares two runs.
func (t *Templates) Compare(comparison Comparison) ([]byte, error) {
	left, right := comparison.Left.Run, comparison.Right.Run
	view := comparePage{
		Layout: t.layout("Compare #" + decimal(left.ID) + " with #" + decimal(right.ID)),
		Heads:  []comparedRun{t.comparedRun(left), t.comparedRun(right)},
		Inputs: t.comparedInputs(left, right),
		Stages: comparedStages(comparison, t.now()),
		Log:    newComparedLogs(comparison),
	}
	if left.Kind != right.Kind {
		view.Note = "These runs are of different kinds: " + t.kindLabel(left.Kind) + " and " +
			t.kindLabel(right.Kind) + "."
	}
	view.Layout.Failed = failedText(comparison.Left.Failed())
	return t.render("compare", view)
}

func (t *Templates) comparedRun(run app.ProcessRun) comparedRun {
	exit, message := exitCode(run.Error)
	return comparedRun{
		Path: RunPath(run.ID), Name: "#" + decimal(run.ID), Kind: t.kindLabel(run.Kind),
		Status: run.Status.String(), Attempt: t.attempt(run), Created: dateTime(run.CreatedAt),
		Exit: exit, Error: visible(message),
	}
}

// comparedInputs returns the inputs of both runs: those of the first one in its order, then the others.
func (t *Templates) comparedInputs(left, right app.ProcessRun) (all []comparedInput) {
	rights := t.inputsOf(right)
	find := func(inputs []inputOf, name string) *inputOf {
		i := slices.IndexFunc(inputs, func(one inputOf) bool { return one.input.Name == name })
		if i < 0 {
			return nil
		}
		return &inputs[i]
	}
	lefts := t.inputsOf(left)
	for i := range lefts {
		all = append(all, newComparedInput(&lefts[i], find(rights, lefts[i].input.Name)))
	}
	for i := range rights {
		if find(lefts, rights[i].input.Name) == nil {
			all = append(all, newComparedInput(nil, &rights[i]))
		}
	}
	return all
}

// newComparedInput compares the values of an input. Either of them may be nil.
func newComparedInput(left, right *inputOf) comparedInput {
	view := comparedInput{Left: shownInput{Unset: true}, Right: shownInput{Unset: true}, Differs: true}
	if right != nil {
		view.Label = visible(right.input.Label())
		view.Right = shownInput{Lines: shownTexts(right.input, right.texts)}
	}
	if left != nil {
		view.Label = visible(left.input.Label())
		view.Left = shownInput{Lines: shownTexts(left.input, left.texts)}
	}
	if left != nil && right != nil {
		view.Differs = !slices.Equal(left.texts, right.texts)
	}
	return view
}

// StageTimes are how long a run waited for its last attempt, how long that ran, and how long the run took in
// all; so far, if it has not finished. A negative time is not known.
type StageTimes struct{ Waited, Ran, Total time.Duration }

// StagesOf returns the times of a run.
func StagesOf(page app.RunPage, now time.Time) StageTimes {
	end := page.Run.FinishedAt
	if end.IsZero() {
		end = now
	}
	stages := StageTimes{Waited: -1, Ran: -1, Total: max(0, end.Sub(page.Run.CreatedAt))}
	bars := page.Run.Bars(page.Events)
	if len(bars) > 0 {
		last := bars[len(bars)-1]
		stages.Ran = max(0, last.EndBy(now).Sub(last.StartedAt))
		if !last.Queued.IsZero() {
			stages.Waited = last.Waited()
		}
	}
	if waited, known := page.Run.Waited(); known { // also of a run that was cancelled while it waited
		stages.Waited = waited
	}
	if ran, known := page.Run.Duration(); known {
		stages.Ran = max(0, ran)
	}
	return stages
}

func comparedStages(comparison Comparison, now time.Time) []comparedStage {
	left, right := StagesOf(comparison.Left, now), StagesOf(comparison.Right, now)
	return []comparedStage{
		newComparedStage("Waited", left.Waited, right.Waited),
		newComparedStage("Ran", left.Ran, right.Ran),
		newComparedStage("In all", left.Total, right.Total),
	}
}

func newComparedStage(name string, left, right time.Duration) comparedStage {
	longer := max(left, right, time.Millisecond)
	view := comparedStage{Name: name, Left: newStageTime(left, longer), Right: newStageTime(right, longer)}
	if left >= 0 && right >= 0 {
		view.Difference = ratio(left, right)
	}
	return view
}

func newStageTime(took, longer time.Duration) stageTime {
	if took < 0 {
		return stageTime{Text: "–"}
	}
	return stageTime{between(took), hundredths(max(1, 100*float64(took)/float64(longer)))}
}

// ratio says how the first of two times compares to the second, or returns "" if that says nothing.
func ratio(left, right time.Duration) string {
	const least = 100 * time.Millisecond
	switch {
	case max(left, right) < least:
		return ""
	case right < left/1000 || left < right/1000:
		return ""
	case left >= 2*right:
		return times(left, right) + " as long"
	case right >= 2*left:
		return times(right, left) + " shorter"
	case left-right > right/20:
		return "+" + lasting(left-right)
	case right-left > right/20:
		return "−" + lasting(right-left)
	}
	return "about the same"
}

// times returns how often the shorter of two times fits into the longer one, such as "3.2×".
func times(long, short time.Duration) string {
	text := strconv.FormatFloat(float64(long)/float64(short), 'f', 1, 64)
	return strings.TrimSuffix(text, ".0") + "×"
}
