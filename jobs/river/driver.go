package river

import (
	"context"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// driver is River's, but for its listener.
type driver struct{ *riverpgxv5.Driver }

// GetListener implements riverdriver.Driver.
func (d driver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.Driver.GetListener(params)}
}

// listener does not let River take a connection that has broken for one that it has closed itself, which it tells by how
// the error ends: in the middle of a start it would go on without a queue, or without ever leading, and say nothing.
type listener struct{ riverdriver.Listener }

// Listen implements riverdriver.Listener.
func (l listener) Listen(ctx context.Context, topic string) error {
	if err := l.Listener.Listen(ctx, topic); err != nil {
		return fmt.Errorf("%w: it cannot be listened", err)
	}
	return nil
}
