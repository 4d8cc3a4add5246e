package harness

import (
	"fmt"
	"net/http"
)

// Answers returns nil if the answer to a request has this status.
func (b *Process) Answers(method, path string, status int) error {
	request, err := http.NewRequest(method, b.URL+path, nil)
	if err != nil {
		return err
	}
	response, err := Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != status {
		return fmt.Errorf("%s %s answers %s", method, path, response.Status)
	}
	return nil
}
