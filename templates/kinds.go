package templates

import (
	"runboard/app"
)

// kindsPage is the view model of the list of kinds.
type kindsPage struct {
	Layout layout
	Groups []kindGroup
	Filter bool // there are so many kinds that a field filters them
	Live   bool // there are so few kinds that the page is live
}

// kindGroup is the view model of kinds with the same heading. Heading may be "".
type kindGroup struct {
	Heading string
	Cards   []kindCard
}

// kindCard is the view model of a kind in the list.
type kindCard struct {
	Name, Title, Path, Description string
	State                          kindState
}

// maxUnfiltered is the number of kinds up to which the list has no field that filters them.
const maxUnfiltered = 12

// maxLiveKinds is the number of kinds up to which the list is live: each frame has all of them.
const maxLiveKinds = 100

// KindList is the content of the page of kinds.
type KindList struct {
	Kinds     []app.Kind
	Overviews []app.KindOverview // of the kinds, in the same order
	Failed    int64              // failed runs that are not muted
}

// Kinds renders the page of kinds, by group. Groups come in the order of their first kind.
func (t *Templates) Kinds(list KindList) ([]byte, error) {
	return t.render("kinds", t.kindsPage(list))
}

// KindCards renders the list of kinds alone, the answer to a partial request.
func (t *Templates) KindCards(list KindList) ([]byte, error) {
	return t.render("kind_cards", t.kindsPage(list))
}

// KindsFrame renders the list of kinds for a socket.
func (t *Templates) KindsFrame(list KindList) ([]byte, error) {
	return t.render("kinds_frame", t.kindsPage(list))
}

func (t *Templates) kindsPage(list KindList) kindsPage {
	kinds := list.Kinds
	view := kindsPage{
		Layout: t.layout("Start"), Filter: len(kinds) > maxUnfiltered, Live: len(kinds) <= maxLiveKinds,
	}
	view.Layout.OnKinds, view.Layout.Failed = true, failedText(list.Failed)
	groups := map[string]int{}
	for i, kind := range kinds {
		at, known := groups[kind.Group]
		if !known {
			at = len(view.Groups)
			groups[kind.Group] = at
			view.Groups = append(view.Groups, kindGroup{Heading: visible(kind.Group)})
		}
		view.Groups[at].Cards = append(view.Groups[at].Cards, kindCard{
			Name: kind.Name, Title: visible(kind.Label()), Path: KindPath(kind.Name),
			Description: visible(kind.Description), State: t.kindState(kind, list.Overviews[i]),
		})
	}
	for i := range view.Groups {
		if view.Groups[i].Heading == "" && len(view.Groups) > 1 {
			view.Groups[i].Heading = "Other"
		}
	}
	return view
}
