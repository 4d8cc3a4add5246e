package templates

import (
	"slices"

	"runboard/app"
)

// RunList is the list from which a user came to the page of a run. The zero RunList is the list of all runs.
type RunList struct {
	Filter app.Filter
	app.Neighbours
}

// runPage is the view model of a run's page and of the frames of its socket.
type runPage struct {
	Layout     layout
	Head       runHead
	SocketPath string
	Status     statusCell
	Parts      runParts
	Log        log
	Overview   overview
}

// runHead is the view model of what does not change on a run's page.
type runHead struct {
	Name, Number, Kind string
	Inputs             []runInput
	AgainPath          string // the form of the kind, filled with the inputs of the run, or ""
	List               listOfRun
}

// listOfRun is the view model of the links from a run to its list and to the runs next to it.
type listOfRun struct {
	Path, Name   string
	Newer, Older neighbour
}

// neighbour is the view model of a link to a run in the same list. It has no Path without one.
type neighbour struct{ Path, Number string }

// runParts are the view models of the parts of a run's page that frames bring. Each has the ID of its
// element.
type runParts struct {
	Title    runTitle
	State    runState
	Actions  runActions
	Menu     runMenu
	Progress runProgress
	Problem  problem
	Facts    facts
	Attempts attempts
	History  history
}

// runMenu is the view model of the menu of a run that has finished. For other runs it has no DeletePath.
type runMenu struct{ ElementID, DeletePath string }

// runActions is the view model of the buttons that change a run.
type runActions struct {
	ElementID string
	Action    rowAction
	Look      string // the class of its button
}

// Run renders the page of a run that was opened from a list.
func (t *Templates) Run(page app.RunPage, list RunList) ([]byte, error) {
	view := t.runPage(page)
	view.Head.List = t.listOfRun(list)
	return t.render("run", view)
}

// RunFrame renders all live parts of a run's page for a socket. Its log lines are appended to those on the
// page.
func (t *Templates) RunFrame(page app.RunPage) ([]byte, error) {
	return t.runFrame("run_frame", page)
}

// DeltaFrame renders the live parts of a run's page that changed since the client had the page before: only
// the log if nothing else changed, else all parts. In either case the log has only the lines that are new to
// the client.
func (t *Templates) DeltaFrame(before app.Revision, now app.RunPage) ([]byte, error) {
	fresh := func(line app.LogLine) bool { return line.At >= before.LogEnd }
	if first := slices.IndexFunc(now.Log.Lines, fresh); first >= 0 {
		now.Log.Lines = now.Log.Lines[first:]
	} else {
		now.Log.Lines = nil
	}
	after := now.Revision()
	if after.LogEnd = before.LogEnd; after == before {
		return t.runFrame("log_frame", now)
	}
	return t.runFrame("run_frame", now)
}

// DeletedFrame renders the frame that tells the socket of a run that the run was deleted.
func (t *Templates) DeletedFrame(run int64) ([]byte, error) {
	title := runTitle{ElementID: runPartID(run, "title"), Text: "deleted #" + decimal(run)}
	view := struct {
		Status string
		Title  runTitle
		Parts  []string // ids of what no longer applies
	}{Status: StatusID(run), Title: title}
	for _, part := range deletedParts {
		view.Parts = append(view.Parts, runPartID(run, part))
	}
	return t.render("deleted_frame", view)
}

func (t *Templates) runFrame(name string, page app.RunPage) ([]byte, error) {
	view := t.runPage(page)
	view.Status.OutOfBand = true
	return t.render(name, view)
}

func (t *Templates) runPage(page app.RunPage) runPage {
	run, now := page.Run, t.now()
	title := t.runTitle(run)
	view := runPage{
		Layout: t.layout(title.Text), Head: t.runHead(run), SocketPath: RunPath(run.ID) + "/live",
		Status: newStatusCell(run), Log: newLog(run.ID, page.Log, page.LogFocus),
		Overview: t.overview(page.Overview),
		Parts: runParts{
			Title: title, State: t.runState(page, now), Progress: newRunProgress(page, now),
			Actions: newRunActions(run), Menu: newRunMenu(run),
			Problem: newProblem(page), Facts: t.facts(page, now), Attempts: t.attempts(page, now),
			History: newHistory(page),
		},
	}
	view.Layout.Failed = failedText(page.Failed())
	return view
}

func newRunActions(run app.ProcessRun) runActions {
	view := runActions{ElementID: runPartID(run.ID, "actions"), Action: newRowAction(run), Look: "danger"}
	if run.Status.Final() {
		view.Look = "primary"
	}
	return view
}

func newRunMenu(run app.ProcessRun) runMenu {
	view := runMenu{ElementID: runPartID(run.ID, "menu")}
	if run.Status.Final() {
		view.DeletePath = BulkPath + "?operation=delete&id=" + decimal(run.ID)
	}
	return view
}

func (t *Templates) runHead(run app.ProcessRun) runHead {
	view := runHead{
		Name: "Run #" + decimal(run.ID), Number: decimal(run.ID), Kind: t.kindLabel(run.Kind),
		Inputs: t.runInputs(run),
	}
	if _, offered := t.kinds.Kind(run.Kind); offered {
		view.AgainPath = KindPathWith(run)
	}
	return view
}

func (t *Templates) listOfRun(list RunList) listOfRun {
	query := app.Query{Filter: list.Filter}
	return listOfRun{
		Path: QueryPath(query), Name: t.title(query),
		Newer: newNeighbour(list.Newer, query), Older: newNeighbour(list.Older, query),
	}
}

func newNeighbour(run int64, query app.Query) neighbour {
	if run == 0 {
		return neighbour{}
	}
	return neighbour{withQuery(RunPath(run), query), decimal(run)}
}

// marks begin the title of a run's page, by the status of the run.
var marks = map[app.Status]string{
	app.Created: "…", app.Started: "●", app.Completed: "✓", app.Failed: "✕", app.Cancelled: "–",
}

// runTitle is the view model of the element that has the title of a run's page, as text for its script.
type runTitle struct {
	ElementID, Status string
	Percent           string // "" if it is not known
	Text              string
}

func (t *Templates) runTitle(run app.ProcessRun) runTitle {
	view := runTitle{ElementID: runPartID(run.ID, "title"), Status: run.Status.String()}
	mark := marks[run.Status]
	if run.Status == app.Started && run.Percent.Known() {
		view.Percent = decimal(int64(run.Percent))
		mark = view.Percent + "%"
	}
	view.Text = mark + " #" + decimal(run.ID) + " " + t.kindLabel(run.Kind)
	return view
}
