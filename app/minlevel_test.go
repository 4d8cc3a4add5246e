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
