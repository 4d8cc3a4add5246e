package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestMinLevel_DropsRecordsBelowIt(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := MinLevel(slog.New(slog.NewTextHandler(&out, nil)), slog.LevelError)
	for _, derived := range []*slog.Logger{log, log.With("key", "value"), log.WithGroup("group")} {
		out.Reset()
		derived.Warn("usual")
		derived.Error("unusual")
		if got := out.String(); strings.Contains(got, "msg=usual") || !strings.Contains(got, "msg=unusual") {
			t.Errorf("the log is %q", got)
		}
	}
}

func TestMinLevel_FollowsItsVariable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var level slog.LevelVar
	log := MinLevel(slog.New(slog.NewTextHandler(&out, nil)), &level).With("key", "value")
	log.Info("before")
	level.Set(slog.LevelError)
	log.Info("after")
	if got := out.String(); !strings.Contains(got, "msg=before") || strings.Contains(got, "msg=after") {
		t.Errorf("the log is %q", got)
	}
}
