package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"runboard/app"
	"runboard/board"
	"runboard/db/pgtest"
	"runboard/e2e/harness"
)

// follow reads the log of a run to its end, and then sends nil or the error on the channel.
func follow(t *testing.T, url string) <-chan error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := harness.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		_, err := io.Copy(io.Discard, response.Body)
		ended <- err
	}()
	return ended
}

// lastOf returns the last frame of a socket and its close code.
func lastOf(conn *websocket.Conn) (frame string, code int) {
	for {
		_, next, err := conn.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			return frame, closed.Code
		}
		if err != nil {
			return frame, 0
		}
		frame = string(next)
	}
}

func TestRun_DeletionEndsItsSocketsAndFollowers(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	kind, open := harness.Gate("gate")
	p := harness.StartProgram(t, func(c *board.Config) { c.Workers = 10 }, kind)
	e := harness.NewExpect(t, p)
	harness.StartRuns(e, 4)
	deletions := []func(id int64) error{
		func(id int64) error { return p.Store.Delete(t.Context(), id) },
		func(id int64) error {
			_, err := p.Store.CreateBulkAction(t.Context(),
				app.BulkAction{Operation: app.BulkDelete, IDs: []int64{id}}, "")
			return err
		},
	}
	var sockets []*websocket.Conn
	var followers []<-chan error
	for id := int64(1); id <= 4; id++ {
		harness.UntilStatus(t, e, fmt.Sprint("/process_runs/", id), "started")
		url := fmt.Sprintf("%s/process_runs/%d", p.URL, id)
		conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		defer conn.Close()
		if _, _, err := conn.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, conn)
		followers = append(followers, follow(t, url+"/log?follow=1"))
	}
	open()
	for id := int64(1); id <= 4; id++ { // as soon as it has ended
		harness.Eventually(t, "the run is deleted", func() error {
			if _, err := p.Store.Run(t.Context(), id); app.CodeOf(err) == app.CodeNotFound {
				return nil
			}
			err := deletions[id%2](id)
			return errors.Join(err, errors.New("it is still there"))
		})
	}
	for i, conn := range sockets {
		if frame, code := lastOf(conn); !strings.Contains(frame, "This run was deleted.") ||
			code != websocket.ClosePolicyViolation {
			t.Errorf("the last frame of run %d is %q, and the code %d", i+1, frame, code)
		}
	}
	for _, ended := range followers {
		<-ended // without an error if the follower saw the end first
	}
}

// The run has not ended, so the reader must see that its log is incomplete.
func TestFollow_IsCutBeforeTheRunEnds(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	b := harness.StartProcess(t, "--command", "job=/bin/sleep 98766", "--command", "quick=/bin/echo done",
		"--drain-timeout", "200ms")
	for _, kind := range []string{"job", "quick"} {
		if err := b.Do(http.MethodPost, "/process_runs", "count=1&kind="+kind, nil); err != nil {
			t.Fatal(err)
		}
	}
	b.UntilStarted(1)
	going, whole := follow(t, b.URL+"/process_runs/1/log?follow=1&offset=0"),
		follow(t, b.URL+"/process_runs/2/log?follow=1")
	if err := <-whole; err != nil {
		t.Errorf("the log of a run that has ended is cut: %v", err)
	}
	b.Signal(syscall.SIGTERM)
	if err := <-going; err == nil {
		t.Error("the log of an unfinished run ends as if it were complete")
	}
	b.Wait()
}

// A slow follower must receive only bytes of the log, and must see that some are missing.
func TestFollow_CountsBytesExactly(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	lines := harness.NewSteps("job")
	p := harness.StartProgram(t, func(c *board.Config) { c.LogLimit = 16 << 10 }, lines.Kind)
	path := harness.StartRun(harness.NewExpect(t, p), "job")
	lines.Write(1)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		p.URL+path+"/log?follow=1&offset=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := harness.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	last := lines.Write(300_000) // more than a follower can keep up with
	close(lines.Asked)
	body, err := io.ReadAll(response.Body)
	var want strings.Builder
	for i := range last {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	if !strings.HasPrefix(want.String(), string(body)) {
		t.Errorf("the follower gets other bytes than were written, near %q", body[max(0, len(body)-200):])
	}
	if whole := len(body) == want.Len(); whole != (err == nil) {
		t.Errorf("the follower gets %d of %d bytes: %v", len(body), want.Len(), err)
	}
}

func TestRun_DeletionIsToldOnEveryNode(t *testing.T) {
	harness.SkipOnPostgres(t)
	t.Parallel()
	server := pgtest.URL(t)
	nodes := []*harness.Process{harness.StartNode(t, server, harness.AtOnce...),
		harness.StartNode(t, server, harness.AtOnce...)}
	id := nodes[0].Post(1)[0].ID
	nodes[0].WaitUntilDone(1)
	path := fmt.Sprintf("/process_runs/%d", id)
	conn, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(nodes[1].URL, "http")+path+
		"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	defer conn.Close()
	if _, _, err := conn.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Do(http.MethodPost, path+"/delete", "", nil); err != nil {
		t.Fatal(err)
	}
	if frame, code := lastOf(conn); !strings.Contains(frame, "This run was deleted.") ||
		code != websocket.ClosePolicyViolation {
		t.Errorf("on the other node the last frame is %q, and the code %d", frame, code)
	}
}
