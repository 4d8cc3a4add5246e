package river

import (
	"context"
	"log/slog"
)

// calm lets through what River takes for an error. It warns of what is usual here, such as a job that is cancelled.
type calm struct{ slog.Handler }

// Enabled implements slog.Handler.
func (c calm) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && c.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler { return calm{c.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name)} }
