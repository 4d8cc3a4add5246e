package handlers

import (
	"context"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"runboard/app"
	"runboard/templates"
)

// maxComparisons is how many comparisons run at once. Each may read 64 MB of both logs.
const maxComparisons = 2

// showComparison answers GET /process_runs/:id/compare/:other.
func (s *Server) showComparison(c *fiber.Ctx) error {
	left, err := parseID(c)
	if err != nil {
		return err
	}
	right, ok := parseNumber(c.Params("other"))
	if !ok || right == 0 {
		return errID
	}
	if left == right {
		const text = "Run #%d cannot be compared with itself. Give the number of another run."
		return app.Errorf(app.CodeMalformed, text, left)
	}
	comparison, err := s.compare(c.UserContext(), left, right)
	if err != nil {
		return err
	}
	if negotiate(c) == asJSON {
		return c.JSON(newComparisonJSON(comparison, time.Now()))
	}
	return sendHTML(c)(s.Templates.Compare(comparison))
}

// compare compares two runs, one of a few at a time.
func (s *Server) compare(ctx context.Context, left, right int64) (
	comparison templates.Comparison, err error,
) {
	if comparison.Left, err = s.store.Run(ctx, left); err != nil {
		return comparison, err
	}
	if comparison.Right, err = s.store.Run(ctx, right); err != nil {
		return comparison, err
	}
	select {
	case s.comparing <- struct{}{}:
		defer func() { <-s.comparing }()
	case <-ctx.Done():
		return comparison, errTooOften
	}
	comparison.Logs, err = app.CompareLogs(app.WithPurpose(ctx, app.ForLong), s.store, left, right)
	return comparison, err
}

// A comparison in JSON. Where there are two values, the first one is that of the first run.
type (
	comparisonJSON struct {
		Runs      [2]app.ProcessRun `json:"process_runs"`
		SameKind  bool              `json:"same_kind"`
		SameInput bool              `json:"same_inputs"`
		Differing []string          `json:"differing_inputs"`
		Times     [2]stagesJSON     `json:"times"`
		Logs      logsJSON          `json:"logs"`
	}
	// stagesJSON are times in seconds. Those that are not known are null.
	stagesJSON struct {
		Waited *float64 `json:"waited_seconds"`
		Ran    *float64 `json:"ran_seconds"`
		Total  *float64 `json:"total_seconds"`
	}
	logsJSON struct {
		Same       bool  `json:"same"`
		AlikeLines int64 `json:"alike_lines"`
		AlikeBytes int64 `json:"alike_bytes"` // of the first log
		// Stopped says that the rest was not compared.
		Stopped bool `json:"stopped"`
		// Dropped says of each log that its first part is no longer kept, and was not compared.
		Dropped [2]bool `json:"dropped"`
		// First are the first lines that differ, or null where the log has ended.
		First [2]*app.LogLine `json:"first_difference"`
	}
)

func newComparisonJSON(comparison templates.Comparison, now time.Time) comparisonJSON {
	left, right := comparison.Left.Run, comparison.Right.Run
	differing := differingInputs(left.Inputs.Values(), right.Inputs.Values())
	return comparisonJSON{
		Runs: [2]app.ProcessRun{runJSON(left), runJSON(right)}, SameKind: left.Kind == right.Kind,
		SameInput: len(differing) == 0, Differing: differing,
		Times: [2]stagesJSON{newStagesJSON(comparison.Left, now), newStagesJSON(comparison.Right, now)},
		Logs:  newLogsJSON(comparison.Logs),
	}
}

// differingInputs returns the names of the inputs whose values differ, sorted.
func differingInputs(left, right app.InputValues) []string {
	names := []string{}
	for _, value := range slices.Concat(left, right) {
		if !slices.Contains(names, value.Name) &&
			!slices.Equal(left.Texts(value.Name), right.Texts(value.Name)) {
			names = append(names, value.Name)
		}
	}
	slices.Sort(names)
	return names
}

func newStagesJSON(page app.RunPage, now time.Time) stagesJSON {
	seconds := func(took time.Duration) *float64 {
		if took < 0 {
			return nil
		}
		return new(took.Seconds())
	}
	stages := templates.StagesOf(page, now)
	return stagesJSON{seconds(stages.Waited), seconds(stages.Ran), seconds(stages.Total)}
}

func newLogsJSON(logs app.LogComparison) logsJSON {
	answer := logsJSON{
		Same: logs.Same(), AlikeLines: logs.Alike, AlikeBytes: logs.Bytes, Stopped: logs.Stopped,
		Dropped: [2]bool{logs.Left.Dropped, logs.Right.Dropped},
	}
	for i, log := range []app.ComparedLog{logs.Left, logs.Right} {
		if len(log.Lines) > 0 {
			answer.First[i] = &log.Lines[0]
		}
	}
	return answer
}
