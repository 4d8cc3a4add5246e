package app

import (
	"context"
	"log/slog"
)

// MinLevel returns a logger that drops records below level, which may change later if it is a slog.LevelVar. It
// is for libraries that log routine events at a level which is noise here.
func MinLevel(log *slog.Logger, level slog.Leveler) *slog.Logger {
	return slog.New(minLevelHandler{log.Handler(), level})
}

type minLevelHandler struct {
	slog.Handler
	level slog.Leveler
}

// Enabled implements slog.Handler.
func (h minLevelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h minLevelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevelHandler{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h minLevelHandler) WithGroup(name string) slog.Handler {
	return minLevelHandler{h.Handler.WithGroup(name), h.level}
}
