package river

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
)

func TestRiverLog_ErrorsAreWarningsUntilStop(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	fetching, stop := context.WithCancel(t.Context())
	log := slog.New(riverLog{slog.NewTextHandler(&out, nil), fetching})
	derived := []*slog.Logger{log, log.With("key", "value"), log.WithGroup("group")}
	for _, log := range derived {
		out.Reset()
		log.Warn("usual")
		log.Error("failed")
		got := out.String()
		if strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN msg=failed") {
			t.Errorf("the log is %q", got)
		}
	}
	stop()
	for _, log := range derived {
		out.Reset()
		log.Error("cancelled")
		if got := out.String(); got != "" {
			t.Errorf("the log after the stop is %q", got)
		}
	}
}
