package postgres

import (
	"log/slog"
	"strings"
	"testing"

	"runboard/app"
	"runboard/db/pgtest"
)

func TestRestart_StoreReconnects(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	address := cluster.URL()
	store, other := openStore(t, Options{URL: address}), openStore(t, Options{URL: address})
	run := start(t, store, create(t, store, 3)[0])
	for range 2 {
		notified, stop := other.Changed().Subscribe()
		cluster.Stop()
		until(t, "the idle store is not ready", func() bool { return store.Ready() != nil })
		_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
		wantHidden(t, err)
		wantHidden(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}))
		_, err = store.Page(ctx, app.Query{})
		wantHidden(t, err)
		wantHidden(t, store.Ready())
		cluster.Restart()
		until(t, "both stores are ready again", func() bool {
			return store.Ready() == nil && other.Ready() == nil
		})
		awaitNotification(t, notified)
		stop()
		if got := get(t, store, run.ID); got != run {
			t.Errorf("a run that was committed is %+v", got)
		}
	}
	ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Completed}))
	if counts := checkCounts(t, store); counts != (app.Counts{app.Created: 2, app.Completed: 1}) {
		t.Errorf("there are %v", counts)
	}
	until(t, "what happened before is in the statistics", func() bool {
		stats, err := store.Statistics(ctx, app.Last24Hours)
		ok(t, err)
		return app.Sum(stats.Period.Counters) == app.Counters{Created: 3, Started: 1, Completed: 1}
	})
}

// The listener hears of an outage first, but it may have been lost before, and not be back.
func TestRestart_IsNoticedWithoutListener(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	address := cluster.URL()
	lost := make(heard)
	store := openStore(t, Options{URL: address, Log: slog.New(slog.NewTextHandler(lost, nil))})
	through(t, strings.Replace(address, pgtest.Name(address), "postgres", 1),
		"ALTER DATABASE "+pgtest.Name(address)+" ALLOW_CONNECTIONS false")
	if n := number(t, store, endListeners); n != 1 {
		t.Fatalf("%d listened", n)
	}
	awaitNotification(t, lost)
	until(t, "it is ready, by the connections that it has", func() bool { return store.Ready() == nil })
	cluster.Stop()
	until(t, "the idle store is not ready", func() bool { return store.Ready() != nil })
}

// heard is a log that signals the first loss of a listener.
type heard chan struct{}

func (h heard) Write(line []byte) (int, error) {
	if strings.Contains(string(line), errLost.Error()) {
		close(h)
	}
	return len(line), nil
}

// wantHidden fails unless the message says to try again later, without internal details.
func wantHidden(t *testing.T, err error) {
	t.Helper()
	wantCode(t, err, app.CodeUnavailable)
	message := err.(*app.Error).Message
	for _, word := range []string{"postgres", "SQLSTATE", "connect", "/tmp", "EOF"} {
		if strings.Contains(message, word) {
			t.Errorf("the message is: %s", message)
		}
	}
}
