package query

import (
	"time"

	"runboard/app"
)

// The number of waiting runs is sampled whenever rollups are saved, about a second after each change. Between
// two samples it is that of the first one.
const (
	// addSampleSQL adds a sample to a step. Its arguments are the step, its start, and the sample.
	addSampleSQL = `INSERT INTO waiting_samples (step, at, waiting, peak) VALUES ($1, $2, $3, $3)
		ON CONFLICT (step, at) DO UPDATE SET waiting = excluded.waiting,
			peak = CASE WHEN excluded.waiting > waiting_samples.peak THEN excluded.waiting
				ELSE waiting_samples.peak END`
	countWaitingSQL = `SELECT n FROM status_counts WHERE status = $1`
)

// WaitingSamplesSQL is the query for the samples of a step between two times, inclusive, and FirstWaitingSQL
// for the last sample before a time. Times are in milliseconds.
const (
	WaitingSamplesSQL = `SELECT at, waiting, peak FROM waiting_samples WHERE step = ? AND at >= ? AND at <= ?`
	FirstWaitingSQL   = `SELECT waiting FROM waiting_samples WHERE step = ? AND at < ?
		ORDER BY at DESC LIMIT 1`
)

// sampleWaiting adds the present number of waiting runs to the samples of all steps.
func sampleWaiting(w Writer, now time.Time) error {
	var waiting int64
	if _, err := w.Find(&waiting, countWaitingSQL, app.Created); err != nil {
		return err
	}
	for _, step := range rollupSteps {
		if err := w.Exec(addSampleSQL, step.millis(), step.at(now), waiting); err != nil {
			return err
		}
	}
	return nil
}

// unknown is the number of waiting runs in a step that has none.
const unknown = -1

// waitingRuns returns the largest number of waiting runs in each step of a period until now.
func (s *snapshot) waitingRuns(period app.Period, now time.Time, present int64) []int64 {
	step := period.Lookback.Step()
	var samples []struct{ At, Waiting, Peak int64 }
	from := period.From.UnixMilli()
	s.all(&samples, WaitingSamplesSQL, step.Milliseconds(), from, now.UnixMilli())
	last := int64(unknown)
	s.get(&last, FirstWaitingSQL, step.Milliseconds(), from)
	waiting := make([]int64, len(period.Counters))
	peaks := make([]int64, len(period.Counters))
	for i := range waiting {
		waiting[i], peaks[i] = unknown, unknown
	}
	for _, sample := range samples {
		i := FromMillis(sample.At).Sub(period.From) / step
		waiting[i], peaks[i] = sample.Waiting, sample.Peak
	}
	for i := range peaks {
		if waiting[i] == unknown {
			waiting[i], peaks[i] = last, last
		}
		last = waiting[i]
	}
	peaks[len(peaks)-1] = max(peaks[len(peaks)-1], present)
	return peaks
}
