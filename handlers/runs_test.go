package handlers

import (
	"net/http"
	"strings"
	"testing"
)

func TestList_EmptyJSONIsAnArray(t *testing.T) {
	s, store := newLiveServer(t, 0)
	const failed = "/process_runs?status=failed"
	for _, path := range []string{"/process_runs", failed, failed + "&before=9"} {
		_, body := get(t, s, path, "Accept", "application/json")
		if !strings.Contains(body, `"process_runs":[]`) {
			t.Errorf("without runs, %s is %s", path, body)
		}
	}
	createRuns(t, store, 3)
	_, body := get(t, s, failed, "Accept", "application/json")
	if !strings.Contains(body, `"process_runs":[]`) {
		t.Errorf("without failures, the answer is %s", body)
	}
}

func TestList_PageBeforeFirstRunLeadsBack(t *testing.T) {
	s, _ := newLiveServer(t, 3)
	for _, path := range []string{"/process_runs?before=1", "/process_runs?before=0"} {
		status, body := get(t, s, path, "Accept", "application/json")
		if status != http.StatusOK || !strings.Contains(body, `"newer":"/process_runs?after=0"`) {
			t.Errorf("%s is %s", path, body)
		}
		if _, body := get(t, s, path); !strings.Contains(body, `"/process_runs?after=0"`) {
			t.Errorf("the page %s has no link back: %s", path, body)
		}
	}
}
