package postgres

import (
	"testing"
	"time"

	"runboard/app"
)

// setServerClock sets the clock of the server, as far as stores read it.
func setServerClock(t *testing.T, store *Store, shift string) {
	t.Helper()
	execute(t, store, `CREATE OR REPLACE FUNCTION server_millis() RETURNS bigint LANGUAGE sql VOLATILE AS $$
		SELECT (extract(epoch FROM clock_timestamp() + interval '`+shift+`') * 1000)::bigint $$`)
}

func TestServerClock_IsSharedByNodes(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	setServerClock(t, store, "5 hours")
	ok(t, store.measureClock(ctx))
	run := create(t, store, 1)[0]
	if ahead := time.Until(run.CreatedAt); ahead < 4*time.Hour || ahead > 6*time.Hour {
		t.Errorf("by the node's clock it is created in %s", ahead)
	}
	last := store.options.Now()
	for range 100 {
		ok(t, store.measureClock(ctx))
		now := store.options.Now()
		if now.Before(last) {
			t.Fatalf("it goes back from %s to %s", last, now)
		}
		last = now
	}
}

func TestServerClock_IgnoresSlowAnswer(t *testing.T) {
	t.Parallel()
	asked := time.Now()
	server := asked.UTC().Add(time.Hour) // is an hour ahead
	c := &serverClock{}
	c.set(server, asked, asked.Add(2*time.Millisecond))
	within := func(what string, want time.Time) {
		t.Helper()
		if shown := c.at.Add(asked.Sub(c.seen)); shown.Sub(want).Abs() > 10*time.Millisecond {
			t.Errorf("after %s it shows %s instead of %s", what, shown, want)
		}
	}
	within("the first answer", server)
	c.set(server.Add(4*time.Second), asked, asked.Add(4*time.Second))
	within("an answer that had to wait for a connection", server)
	c.set(server.Add(time.Millisecond), asked, asked.Add(4*time.Second))
	within("an answer that was read late", server)
	c.set(server.Add(-time.Minute), asked, asked.Add(2*time.Millisecond))
	within("a step back", server.Add(-time.Minute))
	c.set(server.Add(time.Minute), asked, asked.Add(2*time.Millisecond))
	within("a step forward", server.Add(time.Minute))
}

// refuseOnce has the server refuse the first change of a run.
const refuseOnce = `
	CREATE SEQUENCE changes;
	CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF nextval('changes') = 1 THEN RAISE 'refused'; END IF; RETURN NEW; END $$;
	CREATE TRIGGER refuse_once BEFORE UPDATE ON process_runs FOR EACH ROW EXECUTE FUNCTION refuse_once()`

func TestServerClock_SetBackReschedulesJobs(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	setServerClock(t, store, "3 hours")
	ok(t, store.measureClock(ctx))
	run := start(t, store, create(t, store, 1)[0])
	ok(t, store.Finish(ctx, run, app.Outcome{Status: app.Created, Error: "Once more.", RetryIn: time.Minute}))
	time.Sleep(2 * time.Second) // for the clock to be seen
	execute(t, store, refuseOnce)
	setServerClock(t, store, "0 hours")
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		due, job := get(t, store, run.ID).ScheduledAt, jobOf(t, store, run.ID)
		if time.Until(due) < 2*time.Minute && job.ScheduledAt.Equal(due) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it is due at %s, its job at %s", due, job.ScheduledAt)
		}
	}
}

// The clocks of nodes differ by a little, and by more while one starts on a busy machine.
func TestServerClock_DifferenceReschedulesNothing(t *testing.T) {
	t.Parallel()
	now := newClock()
	store := newStore(t, Options{Now: now.now, StartDelay: func(string) time.Duration { return time.Minute }})
	run := create(t, store, 1)[0]
	now.advance(-900 * time.Millisecond)
	ok(t, store.repairScheduled(ctx))
	if after := get(t, store, run.ID); after.Version != 1 {
		t.Errorf("the run is %+v", after)
	}
	now.advance(-time.Minute)
	ok(t, store.repairScheduled(ctx))
	if after := get(t, store, run.ID); after.Version != 2 {
		t.Errorf("after the clock was set back, the run is %+v", after)
	}
}
