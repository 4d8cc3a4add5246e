package handlers

import (
	"net/http"
	"strings"
	"testing"
)

func TestWorkerNode_ServesNoPages(t *testing.T) {
	s,
		_ := startingServer(t,
		Options{PagesOff: true,
			Limits: Limits{PostRate: 100, UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10}})
	s.Attach(broken{}, nil)
	if status, _ := get(t, s, "/up"); status != http.StatusOK {
		t.Errorf("/up answers %d", status)
	}
	for _, path := range []string{"/", "/process_runs", "/process_runs/1", "/process_runs/live", "/process_runs.csv", "/process_runs/statistics"} {
		if status, body := get(t, s, path); status != http.StatusNotFound ||
			!strings.Contains(body, "This is a worker node") {
			t.Errorf("%s is answered with %d: %s", path, status, body)
		}
	}
}
