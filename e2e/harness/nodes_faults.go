package harness

import (
	"context"
	"fmt"
	"net/http"
)

// AnswersUp returns a check that GET /up answers with this status.
func (b *Process) AnswersUp(status int) func() error {
	return func() error {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.URL+"/up", nil)
		if err != nil {
			return err
		}
		response, err := Client.Do(request)
		if err != nil {
			return err
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != status {
			return fmt.Errorf("the answer is %s, %v", response.Status, err)
		}
		return nil
	}
}
