package handlers

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/templates"
)

// timelineView is the live view of a timeline. It implements live.PageView.
type timelineView struct{ query app.TimelineQuery }

func (v timelineView) Load(ctx context.Context, store app.Store) (any, error) {
	return store.Timeline(ctx, v.query)
}

func (timelineView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.TimelineFrame(loaded.(app.Timeline))
}

// MinInterval is a second where that is a visible step, and else two.
func (v timelineView) MinInterval() time.Duration {
	if v.query.Span == app.SpanMinute {
		return time.Second
	}
	return 2 * time.Second
}

// parseTimeline parses the query of a timeline. It ignores unknown parameters.
func (s *Server) parseTimeline(c *fiber.Ctx) (query app.TimelineQuery, err error) {
	given := parseForm(c.Context().QueryArgs())
	values, err := given.single("span", "lanes", "until", "kind", "status")
	if err != nil {
		return query, err
	}
	if query.Span, err = app.ParseSpan(values["span"]); err != nil {
		return query, err
	}
	if query.Lanes, err = app.ParseLaneOrder(values["lanes"]); err != nil {
		return query, err
	}
	if text, given := values["until"]; given {
		if query.Until, err = app.ParseTimeBound(text); err != nil {
			return query, err
		}
	}
	delete(values, "until") // in a filter, it bounds when runs were created
	query.Filter, err = s.parseFilter(values)
	return query, err
}

// showTimeline answers GET /process_runs/timeline.
func (s *Server) showTimeline(c *fiber.Ctx) error {
	query, err := s.parseTimeline(c)
	if err != nil {
		return err
	}
	timeline, err := s.store.Timeline(c.UserContext(), query)
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newTimelineJSON(timeline))
	case asFragment:
		return sendHTML(c)(s.Templates.TimelineLive(timeline))
	}
	if fromHTMX(c) { // without the empty fields that the form sends
		c.Set("HX-Push-Url", templates.TimelineQueryPath(query))
	}
	return sendHTML(c)(s.Templates.Timeline(timeline))
}

// findTimelineView returns the view of GET /process_runs/timeline/live.
func (s *Server) findTimelineView(c *fiber.Ctx) (live.ViewKey, error) {
	query, err := s.parseTimeline(c)
	return live.ViewKey{Page: timelineView{query}}, err
}

// A timeline in JSON.
type (
	timelineJSON struct {
		From  time.Time `json:"from"`
		Until time.Time `json:"until"`
		Live  bool      `json:"live"`
		// Cut says that only the last attempts are here, and there are no numbers instead.
		Cut  bool      `json:"cut"`
		Bars []barJSON `json:"bars"`
		// Bins are the numbers of finished runs, if there are too many for bars.
		BinSeconds float64   `json:"bin_seconds,omitempty"`
		Bins       []binJSON `json:"bins"`
	}
	barJSON struct {
		Run        int64      `json:"id"`
		Kind       string     `json:"kind"`
		Attempt    int        `json:"attempt"`
		Status     app.Status `json:"status"`
		Lane       int        `json:"lane"` // counts from 0
		Row        int        `json:"row"`  // within the lane
		QueuedAt   time.Time  `json:"queued_at,omitzero"`
		StartedAt  time.Time  `json:"started_at"`
		FinishedAt time.Time  `json:"finished_at,omitzero"`
		Error      string     `json:"error,omitempty"`
	}
	binJSON struct {
		At        time.Time `json:"at"`
		Kind      string    `json:"kind"`
		Completed int64     `json:"completed"`
		Failed    int64     `json:"failed"`
		Cancelled int64     `json:"cancelled"`
	}
)

func newTimelineJSON(timeline app.Timeline) timelineJSON {
	answer := timelineJSON{
		From: timeline.From, Until: timeline.Until, Live: timeline.Live, Cut: timeline.Cut,
		BinSeconds: timeline.Bin.Seconds(), Bars: []barJSON{}, Bins: []binJSON{},
	}
	for i, lane := range timeline.LaidOut() {
		for j, row := range lane.Rows {
			for _, bar := range row {
				answer.Bars = append(answer.Bars, newBarJSON(bar, i, j))
			}
		}
	}
	for _, bin := range timeline.Bins {
		answer.Bins = append(answer.Bins,
			binJSON{bin.At, bin.Kind, bin.Completed, bin.Failed, bin.Cancelled})
	}
	return answer
}

func newBarJSON(bar app.Bar, lane, row int) barJSON {
	return barJSON{
		Run: bar.Run.ID, Kind: bar.Run.Kind, Attempt: bar.Number, Status: bar.Status, Lane: lane, Row: row,
		QueuedAt: bar.Queued, StartedAt: bar.StartedAt, FinishedAt: bar.EndedAt, Error: bar.Note,
	}
}
