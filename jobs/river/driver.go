package river

import (
	"context"
	"fmt"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// driver is River's driver for pgx with a different listener.
type driver struct{ *riverpgxv5.Driver }

// GetListener implements riverdriver.Driver.
func (d driver) GetListener(params *riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.Driver.GetListener(params)}
}

// listener wraps the errors of Listen. If the text of an error ends like that of a closed connection,
// River takes it for its own shutdown. During a start it would then run without a queue, or without ever
// leading, and log nothing.
type listener struct{ riverdriver.Listener }

// Listen implements riverdriver.Listener.
func (l listener) Listen(ctx context.Context, topic string) error {
	if err := l.Listener.Listen(ctx, topic); err != nil {
		return fmt.Errorf("%w: cannot listen", err)
	}
	return nil
}
