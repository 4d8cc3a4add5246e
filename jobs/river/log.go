package river

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// riverLog is the handler for the log of River. It drops River's warnings, which are normal here, such as a
// cancelled job. It logs River's errors as warnings: River repeats each query that failed, and the store
// reports an outage. When the node stops, it drops everything, because stopping cancels queries of River.
type riverLog struct {
	slog.Handler
	fetching context.Context // ends when the node stops
}

// Enabled implements slog.Handler.
func (l riverLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && l.fetching.Err() == nil && l.Handler.Enabled(ctx, slog.LevelWarn)
}

// Handle implements slog.Handler.
func (l riverLog) Handle(ctx context.Context, record slog.Record) error {
	record.Level = slog.LevelWarn
	return l.Handler.Handle(ctx, record)
}

// WithAttrs implements slog.Handler.
func (l riverLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return riverLog{l.Handler.WithAttrs(attrs), l.fetching}
}

// WithGroup implements slog.Handler.
func (l riverLog) WithGroup(name string) slog.Handler {
	return riverLog{l.Handler.WithGroup(name), l.fetching}
}

// panicLog logs panics of job handlers, which River recovers, as errors.
type panicLog struct{ log *slog.Logger }

// HandleError implements river.ErrorHandler. Job handlers log their own errors.
func (panicLog) HandleError(context.Context, *rivertype.JobRow, error) *river.ErrorHandlerResult {
	return nil
}

// HandlePanic implements river.ErrorHandler.
func (l panicLog) HandlePanic(
	_ context.Context, job *rivertype.JobRow, panicked any, trace string,
) *river.ErrorHandlerResult {
	l.log.Error("a job handler panicked", "job", job.ID, "kind", job.Kind, "panic", panicked, "stack", trace)
	return nil
}
