package postgres

import (
	"testing"

	"runboard/app"
)

func TestDoor_RefusesAfterClose(t *testing.T) {
	t.Parallel()
	store := newStore(t, Options{})
	if !store.door.enter() { // something takes long
		t.Fatal("it is closed")
	}
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	until(t, "it is about to close", store.door.isClosed)
	wantCode(t, store.Ready(), app.CodeUnavailable)
	_, err := store.Create(ctx, app.CreateRequest{Kind: kind, Count: 1})
	wantCode(t, err, app.CodeUnavailable)
	_, err = store.Run(ctx, 1)
	wantCode(t, err, app.CodeUnavailable)
	select {
	case err := <-closed:
		t.Errorf("it did not wait: %v", err)
	default:
	}
	store.door.leave()
	ok(t, <-closed)
}
