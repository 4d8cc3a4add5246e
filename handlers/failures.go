package handlers

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/templates"
)

// failuresView is the live view of the failures page. It implements live.PageView.
type failuresView struct{ sort app.FailureSort }

func (v failuresView) Load(ctx context.Context, store app.Store) (any, error) {
	return store.Failures(ctx, v.sort)
}

func (v failuresView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.FailuresFrame(loaded.(app.Failures))
}

// RenderDelta renders only the groups that have changed: a browser that compares all of a hundred groups,
// half a megabyte, is busy for several tens of milliseconds.
func (failuresView) RenderDelta(t *templates.Templates, before, loaded any) ([]byte, error) {
	return t.FailuresDelta(before.(app.Failures), loaded.(app.Failures))
}

func (failuresView) MinInterval() time.Duration { return time.Second }

// findFailuresView returns the view of GET /process_runs/failures/live.
func findFailuresView(c *fiber.Ctx) (live.ViewKey, error) {
	sort, err := parseFailureSort(c)
	return live.ViewKey{Page: failuresView{sort}}, err
}

func parseFailureSort(c *fiber.Ctx) (app.FailureSort, error) {
	values, err := parseForm(c.Context().QueryArgs()).single("sort")
	if err != nil {
		return "", err
	}
	return app.ParseFailureSort(values["sort"])
}

// showFailures answers GET /process_runs/failures.
func (s *Server) showFailures(c *fiber.Ctx) error {
	sort, err := parseFailureSort(c)
	if err != nil {
		return err
	}
	all, err := s.store.Failures(c.UserContext(), sort)
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newFailuresJSON(all))
	case asFragment:
		return sendHTML(c)(s.Templates.FailuresLive(all, sort))
	}
	return sendHTML(c)(s.Templates.Failures(all, sort))
}

// failuresJSON are the groups of failed runs in JSON.
type failuresJSON struct {
	Failures []failureJSON `json:"failures"`
	app.FailureTotals
	Muted app.FailureTotals `json:"muted"`
}

// failureJSON is a group of failed runs in JSON.
type failureJSON struct {
	app.Failure
	// AgainAt is when the group returned, and AgainAfter how long nothing had failed with it, in seconds.
	// Both are missing unless that is news.
	AgainAt    time.Time `json:"again_at,omitzero"`
	AgainAfter *float64  `json:"again_after_seconds,omitzero"`
}

func newFailuresJSON(all app.Failures) failuresJSON {
	answer := failuresJSON{
		Failures: make([]failureJSON, len(all.Failures)), FailureTotals: all.FailureTotals, Muted: all.Muted,
	}
	for i, failure := range all.Failures {
		answer.Failures[i] = newFailureJSON(failure)
	}
	return answer
}

func newFailureJSON(failure app.Failure) failureJSON {
	answer := failureJSON{Failure: failure, AgainAt: failure.Recurrence.At}
	if !answer.AgainAt.IsZero() {
		quiet := failure.Recurrence.Quiet().Seconds()
		answer.AgainAfter = &quiet
	}
	return answer
}
