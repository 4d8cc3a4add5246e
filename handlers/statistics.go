package handlers

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/handlers/live"
	"runboard/templates"
)

// statisticsView is the live view of the statistics page for a lookback. It implements live.PageView.
type statisticsView struct{ lookback app.Lookback }

func (v statisticsView) Load(ctx context.Context, store app.Store) (any, error) {
	return store.Statistics(ctx, v.lookback)
}

func (statisticsView) Render(t *templates.Templates, loaded any) ([]byte, error) {
	return t.StatisticsFrame(loaded.(app.Statistics))
}

func (statisticsView) MinInterval() time.Duration { return time.Second }

// findStatisticsView returns the view of GET /process_runs/statistics/live.
func findStatisticsView(c *fiber.Ctx) (live.ViewKey, error) {
	lookback, err := parseLookback(c)
	return live.ViewKey{Page: statisticsView{lookback}}, err
}

// parseLookback parses the parameter period. It treats an empty one as absent.
func parseLookback(c *fiber.Ctx) (app.Lookback, error) {
	values, err := parseForm(c.Context().QueryArgs()).single("period")
	if err != nil || values["period"] == "" {
		return templates.DefaultLookback, err
	}
	return app.ParseLookback(values["period"])
}

// showStatistics answers GET /process_runs/statistics.
func (s *Server) showStatistics(c *fiber.Ctx) error {
	lookback, err := parseLookback(c)
	if err != nil {
		return err
	}
	stats, err := s.store.Statistics(c.UserContext(), lookback)
	if err != nil {
		return err
	}
	switch negotiate(c) {
	case asJSON:
		return s.sendStatistics(c, stats)
	case asFragment:
		return sendHTML(c)(s.Templates.StatisticsLive(stats))
	}
	return sendHTML(c)(s.Templates.Statistics(stats))
}

// sendStatistics sends statistics as JSON. The last 15 minutes and 24 hours are always part of it.
func (s *Server) sendStatistics(c *fiber.Ctx, stats app.Statistics) error {
	answer := newStatisticsJSON(stats)
	day := stats
	if stats.Period.Lookback != app.Last24Hours {
		var err error
		if day, err = s.store.Statistics(c.UserContext(), app.Last24Hours); err != nil {
			return err
		}
	}
	answer.Day = newPeriodJSON(day.Period)
	switch stats.Period.Lookback {
	case app.Last7Days:
		answer.Week = new(newPeriodJSON(stats.Period))
	case app.Last30Days:
		answer.Month = new(newPeriodJSON(stats.Period))
	}
	return c.JSON(answer)
}

// Statistics in JSON. Times are in seconds.
type (
	statisticsJSON struct {
		At        time.Time       `json:"at"`
		Forecast  forecastJSON    `json:"forecast"`
		Workers   *int64          `json:"workers"` // null: not known
		Busy      int64           `json:"busy"`
		Unhandled []unhandledJSON `json:"unserved"`
		Recent    periodJSON      `json:"last_15_minutes"`
		Day       periodJSON      `json:"last_24_hours"`
		Week      *periodJSON     `json:"last_7_days,omitempty"`
		Month     *periodJSON     `json:"last_30_days,omitempty"`
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
		From    time.Time      `json:"from"`
		Since   *time.Time     `json:"since"` // start of the oldest step that is known; null: none is
		Step    float64        `json:"step_seconds"`
		Total   app.Counters   `json:"total"`
		Steps   []app.Counters `json:"steps"`
		Waiting []waitingJSON  `json:"waiting"`
		Kinds   []kindStatJSON `json:"kinds"`
		Others  *kindStatJSON  `json:"others,omitempty"` // the sum of further kinds
	}
	kindStatJSON struct {
		Kind      string        `json:"kind,omitempty"`
		Kinds     int           `json:"kinds,omitempty"` // of others: their number
		Completed int64         `json:"completed"`
		Failed    int64         `json:"failed"`
		Cancelled int64         `json:"cancelled"`
		Waited    quantilesJSON `json:"waited"`
		Worked    quantilesJSON `json:"worked"`
	}
	quantilesJSON struct {
		Count int64   `json:"count"`
		P50   float64 `json:"p50_seconds"`
		P95   float64 `json:"p95_seconds"`
	}
)

// waitingJSON is a number of waiting runs. -1, which is not known, is null.
type waitingJSON int64

// MarshalJSON implements json.Marshaler.
func (w waitingJSON) MarshalJSON() ([]byte, error) {
	if w < 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(w), 10), nil
}

// newStatisticsJSON returns the JSON without the periods but the last 15 minutes.
func newStatisticsJSON(stats app.Statistics) statisticsJSON {
	answer := statisticsJSON{
		At: stats.At, Forecast: forecastJSON{Waiting: stats.Forecast.Waiting, Trend: stats.Forecast.Trend},
		Busy: stats.Workers.Busy, Unhandled: []unhandledJSON{}, Recent: newPeriodJSON(stats.Recent),
	}
	if stats.Workers.Count > 0 {
		answer.Workers = new(stats.Workers.Count)
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
		From: period.From, Step: period.Lookback.Step().Seconds(), Total: period.Total,
		Steps: period.Counters, Kinds: []kindStatJSON{},
	}
	if !period.Since.IsZero() {
		answer.Since = new(period.Since)
	}
	for _, waiting := range period.Waiting {
		answer.Waiting = append(answer.Waiting, waitingJSON(waiting))
	}
	for _, kind := range period.Kinds {
		answer.Kinds = append(answer.Kinds, newKindStatJSON(kind))
	}
	if period.OtherKinds > 0 {
		answer.Others = new(newKindStatJSON(period.Others))
		answer.Others.Kinds = period.OtherKinds
	}
	return answer
}

func newKindStatJSON(kind app.KindStatistics) kindStatJSON {
	return kindStatJSON{
		Kind: kind.Kind, Completed: kind.Total.Completed, Failed: kind.Total.Failed,
		Cancelled: kind.Total.Cancelled,
		Waited:    newQuantilesJSON(kind.QueueTime), Worked: newQuantilesJSON(kind.RunTime),
	}
}

func newQuantilesJSON(q app.Quantiles) quantilesJSON {
	return quantilesJSON{q.Count, q.P50.Seconds(), q.P95.Seconds()}
}
