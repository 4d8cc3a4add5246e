package postgres

import (
	"slices"
	"testing"
	"time"

	"runboard/app"
	"runboard/db/pgtest"
)

// dropNotifications makes the notifications of changes by a node go nowhere. Those of jobs go as before.
const dropNotifications = `
	CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF $1 <> 'runboard_changes' THEN PERFORM pg_catalog.pg_notify($1, $2); END IF;
	END $$`

func TestChanges_AreFoundWithoutNotification(t *testing.T) {
	t.Parallel()
	address := migrated.Copy(t)
	through(t, address, dropNotifications)
	mute := openStore(t, Options{URL: address + "&search_path=public,pg_catalog"})
	other := openStore(t, Options{URL: address, tickEvery: 10 * time.Millisecond})
	notified, stop := other.Changed().Subscribe()
	defer stop()
	for range 3 {
		run := create(t, mute, 1)[0]
		until(t, "a notified subscriber sees the run", func() bool {
			awaitNotification(t, notified)
			page, err := other.Page(ctx, app.Query{})
			ok(t, err)
			return len(page.Runs) > 0 && page.Runs[0].ID == run.ID
		})
	}
}

// The server is one of its own, because transactions of other databases count as changes.
func TestChanges_HeartbeatsAreNone(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	address := cluster.URL()
	through(t, address, "ALTER SYSTEM SET autovacuum = off")
	through(t, address, "SELECT pg_reload_conf()")
	options := Options{URL: address, tickEvery: 5 * time.Millisecond,
		Heartbeat: Heartbeat{Every: 100 * time.Millisecond}}
	a, b := openStore(t, options), openStore(t, options)
	notified, stop := b.Changed().Subscribe()
	defer stop()
	create(t, a, 1)
	awaitNotification(t, notified)

	seen := func() int64 { return number(t, a, "SELECT sum(seen_at)::bigint FROM nodes") }
	quiet := func() bool { // through several heartbeats of both nodes
		for range 5 {
			before := seen()
			until(t, "a node sends a heartbeat", func() bool { return seen() != before })
		}
		select {
		case <-notified:
			return false
		default:
			return true
		}
	}
	until(t, "nothing but heartbeats is written", quiet)
	create(t, a, 1)
	awaitNotification(t, notified)
}

func TestPace_OpenPagesAndChangesQuickenIt(t *testing.T) {
	t.Parallel()
	for name, stir := range map[string]func(*Store){
		"an open page": func(store *Store) {
			_, err := store.Page(app.WithPurpose(ctx, app.ForLive), app.Query{})
			ok(t, err)
		},
		"a change": func(store *Store) { create(t, store, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t, Options{})
			_, err := store.Page(ctx, app.Query{})
			ok(t, err)
			if got := store.pace.interval(time.Second); got != idleTicks*time.Second {
				t.Errorf("idle, it waits for %v", got)
			}
			stir(store)
			if got := store.pace.interval(time.Second); got != time.Second {
				t.Errorf("busy, it waits for %v", got)
			}
			store.pace.busyUntil.Store(int64(uptime()) - 1)
			if got := store.pace.interval(time.Second); got != idleTicks*time.Second {
				t.Errorf("idle again, it waits for %v", got)
			}
		})
	}
}

// A page that is opened while its node is idle does not wait for the next tick of the idle node.
func TestTick_ComesAtOnceWhenAPageIsOpened(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{tickEvery: time.Hour, Kinds: func() []string { return []string{kind} }})
	notified, stop := store.JobsAdded(app.DefaultQueue).Subscribe()
	defer stop()
	execute(t, store, `INSERT INTO river_job (kind, state, queue, args, max_attempts)
		VALUES ($1, 'available', $2, '{}', 9)`, app.Job{RunKind: kind}.Kind(), app.DefaultQueue)
	_, err := store.Page(app.WithPurpose(ctx, app.ForLive), app.Query{})
	ok(t, err)
	awaitNotification(t, notified)
}

func TestChanges_CheckLeavesTimeForFrame(t *testing.T) {
	t.Parallel()
	const promised, frame = time.Second, 200 * time.Millisecond // frame is live.MinInterval
	if every := withDefaults(Options{}).tickEvery; every+frame >= promised {
		t.Errorf("a page may be wrong for %v after a lost notification", every+frame)
	}
}

func TestTransactions_AreParsed(t *testing.T) {
	t.Parallel()
	for snapshot, want := range map[string]transactions{
		"10:20:10,14,15":          {next: 20, running: []uint64{10, 14, 15}},
		"10:10:":                  {next: 10},
		"7:4294967300:4294967299": {next: 1<<32 + 4, running: []uint64{1<<32 + 3}},
	} {
		got, err := parseTransactions(snapshot)
		if err != nil || got.next != want.next || !slices.Equal(got.running, want.running) {
			t.Errorf("%s is %+v, %v", snapshot, got, err)
		}
	}
	for _, snapshot := range []string{"", "10", "10:20", "10:x:", "10:20:1,,2", "10:20:1:2", "10:-1:"} {
		if got, err := parseTransactions(snapshot); err == nil {
			t.Errorf("%q is %+v", snapshot, got)
		}
	}
}

func TestTransactions_Differ(t *testing.T) {
	t.Parallel()
	before := transactions{next: 20, running: []uint64{14, 17}}
	for name, test := range map[string]struct {
		now    transactions
		unseen []uint64
		want   bool
	}{
		"nothing":                    {before, nil, false},
		"a running one goes on":      {transactions{next: 20, running: []uint64{14, 17}}, []uint64{3}, false},
		"a running one has ended":    {transactions{next: 20, running: []uint64{17}}, nil, true},
		"a heartbeat has ended":      {transactions{next: 20, running: []uint64{17}}, []uint64{14}, false},
		"one has begun":              {transactions{next: 21, running: []uint64{14, 17, 20}}, nil, false},
		"one has begun and ended":    {transactions{next: 21, running: []uint64{14, 17}}, nil, true},
		"heartbeats":                 {transactions{next: 22, running: before.running}, []uint64{21, 20}, false},
		"a heartbeat and a change":   {transactions{next: 22, running: []uint64{14, 17}}, []uint64{21}, true},
		"a change and a heartbeat":   {transactions{next: 22, running: []uint64{14, 17}}, []uint64{20}, true},
		"another server":             {transactions{next: 19, running: []uint64{14, 17}}, nil, true},
		"another server, restarted":  {transactions{next: 14}, []uint64{14, 17}, true},
		"many, as after a long time": {transactions{next: 1 << 60}, []uint64{14, 17, 20}, true},
	} {
		if got := test.now.differ(before, test.unseen); got != test.want {
			t.Errorf("%s: differ is %t", name, got)
		}
	}
	before = transactions{next: 1<<32 + 2}
	now := transactions{next: 1<<32 + 3}
	if now.differ(before, []uint64{2}) { // rows have 32 bits of it
		t.Error("a heartbeat after four billion transactions is a change")
	}
}
