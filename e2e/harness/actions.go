package harness

import (
	"fmt"
	"testing"

	"github.com/gavv/httpexpect/v2"
)

// BulkPath is the path of bulk actions.
const BulkPath = "/process_runs/bulk"

// CountsAre waits until the list reports these counts, by status. Statuses that want lacks may have any
// count.
func CountsAre(t *testing.T, e *httpexpect.Expect, want map[string]any) {
	t.Helper()
	Eventually(t, fmt.Sprint("the counts are ", want), func() error {
		counts := e.GET("/process_runs").WithTransformer(AcceptJSON).Expect().JSON().Object().Value("counts").Object().Raw()
		for status, n := range want {
			if fmt.Sprint(counts[status]) != fmt.Sprint(n) {
				return fmt.Errorf("they are %v", counts)
			}
		}
		return nil
	})
}
