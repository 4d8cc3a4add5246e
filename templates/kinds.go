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

// Kinds renders the list of kinds by group. Groups come in the order of their first kind. overviews are those
// of the kinds, in the same order.
func (t *Templates) Kinds(kinds []app.Kind, overviews []app.KindOverview) ([]byte, error) {
	return t.render("kinds", t.kindsPage(kinds, overviews))
}

// KindCards renders the list of kinds alone, the answer to a partial request.
func (t *Templates) KindCards(kinds []app.Kind, overviews []app.KindOverview) ([]byte, error) {
	return t.render("kind_cards", t.kindsPage(kinds, overviews))
}

// KindsFrame renders the list of kinds for a socket.
func (t *Templates) KindsFrame(kinds []app.Kind, overviews []app.KindOverview) ([]byte, error) {
	return t.render("kinds_frame", t.kindsPage(kinds, overviews))
}

func (t *Templates) kindsPage(kinds []app.Kind, overviews []app.KindOverview) kindsPage {
	view := kindsPage{
		Layout: t.layout("Start"), Filter: len(kinds) > maxUnfiltered, Live: len(kinds) <= maxLiveKinds,
	}
	view.Layout.OnKinds = true
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
			Description: visible(kind.Description), State: t.kindState(kind, overviews[i]),
		})
	}
	for i := range view.Groups {
		if view.Groups[i].Heading == "" && len(view.Groups) > 1 {
			view.Groups[i].Heading = "Other"
		}
	}
	return view
}
