package handlers

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"runboard/app"
	"runboard/db/sqlite"
	"runboard/handlers/live"
	"runboard/handlers/ws"
)

// smallListener accepts connections with the smallest possible send buffer.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		err = tcp.SetWriteBuffer(1)
	}
	return conn, err
}

// newLiveServer returns a server with a running hub and a real store that has this many runs.
func newLiveServer(t *testing.T, runs int) (testServer, *sqlite.Store) {
	t.Helper()
	s, _ := startingServer(t,
		Options{Limits: Limits{UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10}})
	return s, goLive(t, s.Server, runs)
}

// goLive attaches a running hub and a real store with this many runs.
func goLive(t testing.TB, s *Server, runs int) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(),
		sqlite.Options{Path: filepath.Join(t.TempDir(), "test.db"), Synchronous: "normal"})
	if err != nil {
		t.Fatal(err)
	}
	hub, done := live.NewHub(store, s.Templates, slog.New(slog.DiscardHandler)), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		hub.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if runs > 0 {
		createRuns(t, store, runs)
	}
	s.Attach(store, hub)
	return store
}

func createRuns(t testing.TB, store *sqlite.Store, count int) {
	t.Helper()
	if _, err := store.Create(context.Background(),
		app.CreateRequest{Kind: "test", Count: count}); err != nil {
		t.Fatal(err)
	}
}

// dial opens a socket with the smallest possible receive buffer.
func dial(t *testing.T, s testServer) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			err = tcp.SetReadBuffer(1)
		}
		return conn, err
	}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/process_runs/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// keepPinging sends pings and reads nothing until the socket has ended or stop is called. A blocked write may
// notice only after a minute that the server has closed the connection.
func keepPinging(conn *websocket.Conn) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Minute)) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return func() {
		_ = conn.Close()
		<-ended
	}
}

// awaitNoSockets waits until the server has no open socket. It calls meanwhile before each check.
func awaitNoSockets(t *testing.T, s testServer, meanwhile func()) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for ; s.sockets.slots.count() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the socket is still open")
		}
		meanwhile()
	}
}

func TestSocket_ReaderThatTakesNoFramesIsCut(t *testing.T) {
	s, store := newLiveServer(t, 25)
	s.sockets.upgrader.Timeouts = ws.Timeouts{
		PingInterval: time.Hour, HeartbeatInterval: time.Hour, PongTimeout: time.Hour,
		WriteTimeout: 200 * time.Millisecond, ClientInterval: time.Second,
	}
	dial(t, s)
	awaitNoSockets(t, s, func() { createRuns(t, store, 1) })
}

func TestSocket_PingsDoNotSaveSlowReaders(t *testing.T) {
	s, store := newLiveServer(t, 25)
	s.sockets.upgrader.Timeouts.WriteTimeout = 200 * time.Millisecond
	s.sockets.upgrader.Timeouts.ClientInterval = time.Millisecond
	conn := dial(t, s)
	stopPinging := keepPinging(conn)
	awaitNoSockets(t, s, func() { createRuns(t, store, 1) })
	stopPinging()
}

func TestSocket_SilentPeerIsCut(t *testing.T) {
	s, _ := newLiveServer(t, 0)
	s.sockets.upgrader.Timeouts.PongTimeout = 200 * time.Millisecond
	dial(t, s)
	awaitNoSockets(t, s, func() {})
}

func TestSocket_PingsDoNotSaveRejectedClients(t *testing.T) {
	s, _ := newLiveServer(t, 0)
	timeouts := &s.sockets.upgrader.Timeouts
	timeouts.PingInterval, timeouts.HeartbeatInterval = time.Hour, time.Hour // so that no write fails
	conn := dial(t, s)
	if _, _, err := conn.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	stopPinging := keepPinging(conn)
	awaitNoSockets(t, s, func() {})
	stopPinging()
}

func TestSocket_PeersThatAnswerPingsStayOpen(t *testing.T) {
	promised := ws.Timeouts{
		PingInterval: 25 * time.Second, HeartbeatInterval: 15 * time.Second, PongTimeout: 60 * time.Second,
		WriteTimeout: 5 * time.Second, ClientInterval: time.Second,
	}
	if got := ws.DefaultTimeouts(); got != promised {
		t.Errorf("the timeouts are %+v, want %+v", got, promised)
	}
	s, _ := newLiveServer(t, 0)
	timeouts := &s.sockets.upgrader.Timeouts
	timeouts.PingInterval, timeouts.PongTimeout, timeouts.ClientInterval = 50*time.Millisecond, time.Second,
		10*time.Millisecond
	conn, pings := dial(t, s), make(chan struct{})
	answer := conn.PingHandler()
	conn.SetPingHandler(func(data string) error {
		pings <- struct{}{}
		return answer(data)
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for err := error(nil); err == nil; _, _, err = conn.ReadMessage() {
		}
	}()
	for range 40 { // twice the pong timeout
		select {
		case <-pings:
		case <-ended:
			t.Fatal("a peer that answers pings is cut")
		case <-time.After(30 * time.Second):
			t.Fatal("no ping was sent")
		}
	}
	go func() { // so that the ping handler does not block
		for range pings {
		}
	}()
	_ = conn.Close()
	<-ended
	close(pings)
}

func TestSocket_PongRepeatsTheDataOfThePing(t *testing.T) {
	s, _ := newLiveServer(t, 0)
	conn := dial(t, s)
	answered := make(chan string, 1)
	conn.SetPongHandler(func(data string) error { answered <- data; return nil })
	go func() {
		for {
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	data := strings.Repeat("x", 125)
	err := conn.WriteControl(websocket.PingMessage, []byte(data), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-answered:
		if got != data {
			t.Errorf("the pong has %q", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("no pong was sent")
	}
}

// framesOf returns a channel that receives the frames of a socket and, at its end, the text of the error.
func framesOf(conn *websocket.Conn) <-chan string {
	frames := make(chan string, 1000)
	go func() {
		defer close(frames)
		for {
			_, frame, err := conn.ReadMessage()
			if err != nil {
				frames <- err.Error()
				return
			}
			frames <- string(frame)
		}
	}()
	return frames
}

func nextFrame(t *testing.T, frames <-chan string) string {
	t.Helper()
	select {
	case frame := <-frames:
		return frame
	case <-time.After(30 * time.Second):
		t.Fatal("no frame was sent")
		return ""
	}
}

// lastFrame waits for the end of a socket and returns the text of its error.
func lastFrame(t *testing.T, frames <-chan string) (last string) {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		select {
		case frame, open := <-frames:
			if !open {
				return last
			}
			last = frame
		case <-deadline:
			t.Fatal("the socket is still open")
		}
	}
}

var heartbeatPattern = regexp.MustCompile(`^<span id="heartbeat" data-at="(\d+)" hx-swap-oob="outerMorph"></span>$`)

func TestSocket_HeartbeatIsSentOnlyWithoutFrames(t *testing.T) {
	s, store := newLiveServer(t, 1)
	s.sockets.upgrader.Timeouts.HeartbeatInterval = 300 * time.Millisecond
	s.sockets.upgrader.Timeouts.PingInterval = 350 * time.Millisecond // a ping does not delay the heartbeat
	frames := framesOf(dial(t, s))
	if first := nextFrame(t, frames); heartbeatPattern.MatchString(first) {
		t.Errorf("the first frame is %s", first)
	}
	for range 3 {
		began := time.Now()
		beat := heartbeatPattern.FindStringSubmatch(nextFrame(t, frames))
		if beat == nil {
			t.Fatal("a frame that is no heartbeat was sent")
		}
		at, _ := strconv.ParseInt(beat[1], 10, 64)
		if ago := time.Since(time.UnixMilli(at)); ago < -time.Second || ago > 30*time.Second {
			t.Errorf("its time is %v ago", ago)
		}
		if took := time.Since(began); took < 250*time.Millisecond {
			t.Errorf("it was sent after %v", took)
		}
	}
	s.sockets.upgrader.Timeouts.HeartbeatInterval = time.Hour
	busy := framesOf(dial(t, s))
	nextFrame(t, busy)
	for range 3 {
		createRuns(t, store, 1)
		if frame := nextFrame(t, busy); heartbeatPattern.MatchString(frame) {
			t.Error("a heartbeat was sent between frames")
		}
	}
}

func TestSocket_AnnouncesTheDrainOnce(t *testing.T) {
	s, store := newLiveServer(t, 1)
	frames := framesOf(dial(t, s))
	nextFrame(t, frames)
	s.Drain()
	const warning = `<span id="server" data-state="draining" hx-swap-oob="outerMorph"></span>`
	if frame := nextFrame(t, frames); frame != warning {
		t.Errorf("at the drain the frame is %s", frame)
	}
	createRuns(t, store, 1)
	if frame := nextFrame(t, frames); frame == warning || !strings.Contains(frame, "process_run_2") {
		t.Errorf("after that the frame is %s", frame)
	}
}

func TestSocket_LateOneIsClosedAtShutdown(t *testing.T) {
	s, _ := newLiveServer(t, 1)
	timeouts := &s.sockets.upgrader.Timeouts
	timeouts.PingInterval, timeouts.HeartbeatInterval = time.Hour, time.Hour // only the close is due
	early := framesOf(dial(t, s))
	nextFrame(t, early)
	s.sockets.mu.Lock() // as when close runs between upgrade and add
	s.sockets.closed = true
	s.sockets.mu.Unlock()
	late := framesOf(dial(t, s))
	const restart = "websocket: close 1012: restarting"
	if got := lastFrame(t, late); got != restart {
		t.Errorf("the late socket ends with %q", got)
	}
	s.sockets.mu.Lock()
	s.sockets.closed = false
	s.sockets.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.CloseSockets(ctx)
	if got := lastFrame(t, early); got != restart || ctx.Err() != nil {
		t.Errorf("the early socket ends with %q, %v", got, ctx.Err())
	}
}
