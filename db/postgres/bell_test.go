package postgres

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// deaf is a connection to a server that is not there any more when it is asked to listen.
type deaf struct{ net.Conn }

func (c deaf) Write(what []byte) (int, error) {
	if strings.Contains(string(what), "LISTEN") {
		return len(what), nil
	}
	return c.Conn.Write(what)
}

func TestAConnectionThatIsToListenIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(newURL(t))
	ok(t, err)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return deaf{conn}, err
	}
	failed := make(chan error, 1)
	go func() {
		_, err := listen(ctx, config)
		failed <- err
	}()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("it says that it listens")
		}
	case <-time.After(patience):
		t.Fatal("it still waits")
	}
}
