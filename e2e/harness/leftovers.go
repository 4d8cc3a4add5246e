package harness

import (
	"fmt"
	"net/http"
)

// StartJobs creates runs of the kind "job".
func (b *Process) StartJobs(count int) {
	b.T.Helper()
	if err := b.Do(http.MethodPost, "/process_runs", fmt.Sprintf("kind=job&count=%d", count), nil); err != nil {
		b.T.Fatal(err)
	}
}
