package handlers

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// listOfRun returns the list from which a user came to the page of a run, with the runs next to it. The
// page's own query names it, so that a user can go on from run to run; without one, it is the list that the
// browser names as the referrer. Rows need not repeat the filter in each link. The page never fails for its
// list: if the filter is invalid, or the list cannot be read, it is the list of all runs, or has no
// neighbours.
func (s *Server) listOfRun(c *fiber.Ctx, run int64) (list templates.RunList) {
	filter, given := s.filterOf(parseForm(c.Context().QueryArgs()))
	if !given {
		filter, _ = s.filterOf(referringList(c))
	}
	list.Filter = filter
	list.Neighbours, _ = s.store.Neighbours(c.UserContext(), filter, run)
	return list
}

// filterOf returns the filter that the parameters of a list contain, and whether there is a valid one.
func (s *Server) filterOf(parameters fields) (filter app.Filter, given bool) {
	values, err := parameters.single(parameters.filters()...)
	if err != nil || len(values) == 0 {
		return app.Filter{}, false
	}
	if filter, err = s.parseFilter(values); err != nil {
		return app.Filter{}, false
	}
	return filter, true
}

// referringList returns the parameters of the list that the browser comes from, or nil. The page of a kind is
// the list of its runs, and the page of a run names its list.
func referringList(c *fiber.Ctx) fields {
	from, err := url.Parse(c.Get(fiber.HeaderReferer))
	if err != nil || from.Host != string(c.Request().Host()) {
		return nil
	}
	if kind, isKind := strings.CutPrefix(from.Path, templates.KindsPath+"/"); isKind {
		return fields{"kind": {kind}}
	}
	run, isRun := strings.CutPrefix(from.Path, templates.ListPath+"/")
	if _, isNumber := parseNumber(run); isRun && !isNumber || !isRun && from.Path != templates.ListPath {
		return nil
	}
	return fields(from.Query())
}
