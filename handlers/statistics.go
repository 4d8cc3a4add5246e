package handlers

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// statisticsView is the live view of the statistics page. It implements live.PageView.
type statisticsView struct{}

func (statisticsView) Load(ctx context.Context, store app.Store) (any, error) {
	return store.Statistics(ctx)
}

func (statisticsView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.StatisticsFrame(loaded.(app.Statistics))
}

func (statisticsView) MinInterval() time.Duration { return time.Second }

// showStatistics answers GET /process_runs/statistics.
func (s *Server) showStatistics(c *fiber.Ctx) error {
	stats, err := s.store.Statistics(c.UserContext())
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return c.JSON(newStatisticsJSON(stats))
	case asFragment:
		return sendHTML(c)(s.Templates.StatisticsLive(stats))
	}
	return sendHTML(c)(s.Templates.Statistics(stats))
}

// Statistics in JSON. Times are in seconds.
type (
	statisticsJSON struct {
		At        time.Time       `json:"at"`
		Forecast  forecastJSON    `json:"forecast"`
		Unhandled []unhandledJSON `json:"unserved"`
		Recent    periodJSON      `json:"last_15_minutes"`
		Day       periodJSON      `json:"last_24_hours"`
	}
	forecastJSON struct {
		Waiting int64     `json:"waiting"`
		Trend   app.Trend `json:"trend"`
		// Seconds until the queue is empty, if the trend is draining.
		In *float64 `json:"seconds,omitempty"`
	}
	unhandledJSON struct {
		Kind    string `json:"kind"`
		Waiting int64  `json:"waiting"`
		More    bool   `json:"more"`
	}
	periodJSON struct {
		From  time.Time      `json:"from"`
		Step  float64        `json:"step_seconds"`
		Total app.Counters   `json:"total"`
		Steps []app.Counters `json:"steps"`
		Kinds []timesJSON    `json:"kinds"`
	}
	timesJSON struct {
		Kind   string        `json:"kind"`
		Waited quantilesJSON `json:"waited"`
		Worked quantilesJSON `json:"worked"`
	}
	quantilesJSON struct {
		Count int64   `json:"count"`
		P50   float64 `json:"p50_seconds"`
		P95   float64 `json:"p95_seconds"`
	}
)

func newStatisticsJSON(stats app.Statistics) statisticsJSON {
	answer := statisticsJSON{
		At: stats.At, Forecast: forecastJSON{Waiting: stats.Forecast.Waiting, Trend: stats.Forecast.Trend},
		Unhandled: []unhandledJSON{},
		Recent:    newPeriodJSON(stats.Recent), Day: newPeriodJSON(stats.Day),
	}
	if stats.Forecast.In > 0 {
		answer.Forecast.In = new(stats.Forecast.In.Seconds())
	}
	for _, one := range stats.Unhandled.Named() {
		answer.Unhandled = append(answer.Unhandled, unhandledJSON{one.Kind, one.Runs, one.More})
	}
	return answer
}

func newPeriodJSON(period app.Period) periodJSON {
	answer := periodJSON{
		From: period.From, Step: period.Step.Seconds(), Total: app.Sum(period.Counters),
		Steps: period.Counters, Kinds: []timesJSON{},
	}
	for _, kind := range period.Kinds {
		queue, run := newQuantilesJSON(kind.QueueTime), newQuantilesJSON(kind.RunTime)
		answer.Kinds = append(answer.Kinds, timesJSON{kind.Kind, queue, run})
	}
	return answer
}

func newQuantilesJSON(q app.Quantiles) quantilesJSON {
	return quantilesJSON{q.Count, q.P50.Seconds(), q.P95.Seconds()}
}
