package harness

import (
	"fmt"
	"testing"

	"github.com/gavv/httpexpect/v2"
)

const BulkPath = "/process_runs/bulk"

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
