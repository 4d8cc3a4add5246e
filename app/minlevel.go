package app

import (
	"context"
	"log/slog"
)

// MinLevel returns a logger that drops records below level. It is for libraries that log routine events at a
// level which is noise here.
func MinLevel(log *slog.Logger, level slog.Level) *slog.Logger {
	return slog.New(minLevelHandler{log.Handler(), level})
}

type minLevelHandler struct {
	slog.Handler
	level slog.Level
}

// Enabled implements slog.Handler.
func (h minLevelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h minLevelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevelHandler{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h minLevelHandler) WithGroup(name string) slog.Handler {
	return minLevelHandler{h.Handler.WithGroup(name), h.level}
}
