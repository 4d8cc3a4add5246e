package templates

import (
	"math"
	"strings"
	"time"

	"runboard/app"
)

// StartPreview is what would happen if a form was sent now.
type StartPreview struct {
	Count int // runs
	// Missing are the inputs whose values are missing or wrong, so that the command is not known yet.
	Missing []app.Input
	Command *app.CommandPreview // nil if the kind executes no command
	Queue   app.QueueAhead
	Workers int // of this server
	// Overview says how the runs of the kind fare, for their usual duration.
	Overview app.KindOverview
}

// startPreview is the view model of a StartPreview. The zero startPreview is not known yet.
type startPreview struct {
	Start    string
	Duration string // or ""
	Missing  string // asks for missing inputs, or ""
	Command  *commandPreview
}

// commandPreview is the view model of a command.
type commandPreview struct {
	Words     []string
	Dir       string
	Variables []string
}

// StartPreview renders what would happen if the form of a kind was sent now, and how the runs of the kind
// fare.
func (t *Templates) StartPreview(kind app.Kind, preview StartPreview) ([]byte, error) {
	state := t.kindState(kind, preview.Overview)
	state.OutOfBand = true
	return t.render("start_preview_answer", struct {
		Preview startPreview
		State   kindState
	}{newStartPreview(kind, preview), state})
}

func newStartPreview(kind app.Kind, from StartPreview) startPreview {
	view := startPreview{Start: whenItStarts(kind, from), Duration: howLongItTakes(from)}
	if from.Command == nil {
		return view
	}
	if len(from.Missing) > 0 {
		var names []string
		for _, input := range from.Missing {
			names = append(names, visible(input.Label()))
		}
		view.Missing = "To see the command, enter " + enumeration(names) + "."
		return view
	}
	view.Command = &commandPreview{Dir: visible(from.Command.Dir)}
	for _, word := range from.Command.Words {
		view.Command.Words = append(view.Command.Words, visible(word))
	}
	for _, name := range from.Command.Variables {
		view.Command.Variables = append(view.Command.Variables, visible(name))
	}
	return view
}

// whenItStarts says when the run, or the first of several, would start.
func whenItStarts(kind app.Kind, from StartPreview) string {
	text := "Starts "
	if from.Count > 1 {
		text = grouped(int64(from.Count)) + " runs. The first starts "
	}
	queue := from.Queue
	before := queue.Created
	if queue.Limit > 0 {
		before += queue.Started
	}
	switch {
	case queue.Paused:
		return text + "when the kind is resumed: it is paused."
	case before == 0 && kind.Concurrency == 0 && from.Workers > 0 && queue.Started >= int64(from.Workers):
		return text + "as soon as a worker is free."
	case before == 0:
		return text + "at once."
	}
	if wait := expectedWait(kind, from); wait > 0 {
		text += "in about " + rough(wait) + ", "
	} else {
		text += "later, "
	}
	return text + countOfKind(before) + " before it."
}

// expectedWait estimates how long a run waits for those before it, or returns 0.
func expectedWait(kind app.Kind, from StartPreview) time.Duration {
	slots := int64(kind.Concurrency)
	if slots == 0 {
		slots = max(from.Queue.Started, 1)
	}
	rounds, usual := (from.Queue.Created+slots)/slots, from.Overview.MedianDuration
	if usual > 0 && rounds > int64(math.MaxInt64/usual) {
		return math.MaxInt64
	}
	return time.Duration(rounds) * usual
}

func howLongItTakes(from StartPreview) string {
	last := "one"
	switch n := int64(from.Overview.Measured); {
	case n == 0:
		return ""
	case n > 1:
		last = decimal(n)
	}
	return "Takes about " + rough(from.Overview.MedianDuration) + ", as the last " + last + " did."
}

// enumeration joins phrases with commas and a final "and".
func enumeration(phrases []string) string {
	if len(phrases) < 2 {
		return strings.Join(phrases, "")
	}
	last := len(phrases) - 1
	return strings.Join(phrases[:last], ", ") + " and " + phrases[last]
}
