package app

import "log/slog"

// RepeatedLevel returns the level at which a caller logs an error of an operation that it repeats by itself.
// A database that cannot be used just now, or is slow, is a warning: nothing is lost, and the store reports
// an outage. Any other error is a fault of the program.
func RepeatedLevel(err error) slog.Level {
	if CodeOf(err) == CodeUnavailable {
		return slog.LevelWarn
	}
	return slog.LevelError
}
