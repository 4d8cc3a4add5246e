package postgres

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// failFirst has the first word that is told to others fail.
const failFirst = `
	CREATE SEQUENCE told;
	CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF $1 = 'runboard_changes' AND nextval('told') = 1 THEN RAISE 'gone' USING ERRCODE = 'connection_failure'; END IF;
		PERFORM pg_catalog.pg_notify($1, $2);
	END $$`

func TestNotify_IsRetried(t *testing.T) {
	t.Parallel()
	address := migrated.Copy(t)
	through(t, address, failFirst)
	a := openStore(t, Options{URL: address + "&search_path=public,pg_catalog"})
	b := openStore(t, Options{URL: address})
	notified, stop := b.Changed().Subscribe()
	defer stop()
	create(t, a, 1)
	awaitNotification(t, notified)
	if n := number(t, b, `SELECT last_value FROM told`); n != 2 {
		t.Errorf("it was notified %d times", n)
	}
}

func TestNotify_CloseSendsPendingNotification(t *testing.T) {
	t.Parallel()
	a, b := newStores(t, Options{})
	notified, stop := b.Changed().Subscribe()
	defer stop()
	create(t, a, 1)
	awaitNotification(t, notified)
	create(t, a, 1) // which others would be told of a moment later
	ok(t, a.Close())
	awaitNotification(t, notified)
}

// deaf is a connection to a server that is not there any more when it is asked to listen.
type deaf struct{ net.Conn }

func (c deaf) Write(what []byte) (int, error) {
	if strings.Contains(string(what), "LISTEN") {
		return len(what), nil
	}
	return c.Conn.Write(what)
}

func TestListen_TimesOut(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(migrated.Copy(t))
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
