package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"runboard/app"
)

func TestRepeatedLevel_UnavailableIsWarning(t *testing.T) {
	t.Parallel()
	slow := &app.Error{Code: app.CodeUnavailable, Err: context.DeadlineExceeded}
	for _, test := range []struct {
		err  error
		want slog.Level
	}{
		{slow, slog.LevelWarn},
		{fmt.Errorf("rescue: %w", slow), slog.LevelWarn},
		{app.Errorf(app.CodeConflict, "The run has changed."), slog.LevelError},
		{io.EOF, slog.LevelError},
	} {
		if got := app.RepeatedLevel(test.err); got != test.want {
			t.Errorf("the level of %v is %v, want %v", test.err, got, test.want)
		}
	}
}
