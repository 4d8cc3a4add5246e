package handlers

import (
	"context"
	"io"
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
)

// smallListener makes connections that hold little of what is written and not yet read.
type smallListener struct{ net.Listener }

func (l smallListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		err = tcp.SetWriteBuffer(1)
	}
	return conn, err
}

// newLiveServer is a server over a real store with this many runs, and with a hub that shows them.
func newLiveServer(t *testing.T, runs int) (testServer, *sqlite.Store) {
	t.Helper()
	s, _ := startingServer(t, app.Config{UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10})
	return s, goLive(t, s.Server, runs)
}

// goLive gives a server a real store with this many runs, and a hub that shows them.
func goLive(t testing.TB, s *Server, runs int) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(t.TempDir(), "test.db"), Synchronous: "normal"})
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
	if _, err := store.Create(context.Background(), app.CreateRequest{Kind: "test", Count: count}); err != nil {
		t.Fatal(err)
	}
}

// dial opens a socket that takes little of what it has not read.
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

// keepPinging sends pings, and reads nothing, until the socket has ended or the function that it returns is called.
// When the server has closed the connection, a write to it that waits may not hear of that for a minute.
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

// awaitNoSockets waits until the server holds none, and does something meanwhile.
func awaitNoSockets(t *testing.T, s testServer, meanwhile func()) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.sockets.count() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the socket is still held")
		}
		meanwhile()
	}
}

func TestAReaderThatTakesNoFramesIsCut(t *testing.T) {
	s, store := newLiveServer(t, 25)
	s.sockets.times = timeouts{pingInterval: time.Hour, heartbeat: time.Hour, pongTimeout: time.Hour, writeTimeout: 200 * time.Millisecond, minPingInterval: time.Second}
	dial(t, s)
	awaitNoSockets(t, s, func() { createRuns(t, store, 1) })
}

func TestAReaderThatSendsPingsButTakesNoFramesIsCut(t *testing.T) {
	s, store := newLiveServer(t, 25)
	s.sockets.times.writeTimeout, s.sockets.times.minPingInterval = 200*time.Millisecond, time.Millisecond
	conn := dial(t, s)
	stopPinging := keepPinging(conn)
	awaitNoSockets(t, s, func() { createRuns(t, store, 1) })
	stopPinging()
}

func TestASocketThatSaysNothingIsCut(t *testing.T) {
	s, _ := newLiveServer(t, 0)
	s.sockets.times.pongTimeout = 200 * time.Millisecond
	dial(t, s)
	awaitNoSockets(t, s, func() {})
}

func TestAClientThatIsRefusedCannotHoldItsSocketByPings(t *testing.T) {
	s, _ := newLiveServer(t, 0)
	s.sockets.times.pingInterval, s.sockets.times.heartbeat = time.Hour, time.Hour // so that the writer has nothing to fail at
	conn := dial(t, s)
	if _, _, err := conn.ReadMessage(); err != nil { // nor at the first frame
		t.Fatal(err)
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	stopPinging := keepPinging(conn)
	awaitNoSockets(t, s, func() {})
	stopPinging()
}

func TestPeersAreAskedWhetherTheyAreThere(t *testing.T) {
	if defaultTimeouts != (timeouts{pingInterval: 25 * time.Second, heartbeat: 15 * time.Second, pongTimeout: 60 * time.Second, writeTimeout: 5 * time.Second, minPingInterval: time.Second}) {
		t.Errorf("what is promised of sockets is another than %+v", defaultTimeouts)
	}
	s, _ := newLiveServer(t, 0)
	s.sockets.times.pingInterval, s.sockets.times.pongTimeout, s.sockets.times.minPingInterval = 50*time.Millisecond, time.Second, 10*time.Millisecond
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
	for range 40 { // twice as long as a silent one may stay
		select {
		case <-pings:
		case <-ended:
			t.Fatal("it is cut, although it answers")
		case <-time.After(30 * time.Second):
			t.Fatal("it is not asked")
		}
	}
	go func() { // until it is gone
		for range pings {
		}
	}()
	_ = conn.Close()
	<-ended
	close(pings)
}

// framesOf returns the frames of a socket as they come.
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
		t.Fatal("no frame comes")
		return ""
	}
}

var heartbeatPattern = regexp.MustCompile(`^<span id="heartbeat" data-at="(\d+)" hx-swap-oob="outerMorph"></span>$`)

func TestSocket_HeartbeatComesOnlyInSilence(t *testing.T) {
	s, store := newLiveServer(t, 1)
	s.sockets.times.heartbeat = 300 * time.Millisecond
	s.sockets.times.pingInterval = 350 * time.Millisecond // it is no frame
	frames := framesOf(dial(t, s))
	if first := nextFrame(t, frames); heartbeatPattern.MatchString(first) {
		t.Errorf("the first frame is %s", first)
	}
	for range 3 {
		began := time.Now()
		beat := heartbeatPattern.FindStringSubmatch(nextFrame(t, frames))
		if beat == nil {
			t.Fatal("in silence there is another frame than a heartbeat")
		}
		at, _ := strconv.ParseInt(beat[1], 10, 64)
		if ago := time.Since(time.UnixMilli(at)); ago < -time.Second || ago > 30*time.Second {
			t.Errorf("it says that it is %v ago", ago)
		}
		if took := time.Since(began); took < 250*time.Millisecond {
			t.Errorf("it comes after %v", took)
		}
	}
	s.sockets.times.heartbeat = time.Hour
	busy := framesOf(dial(t, s))
	nextFrame(t, busy)
	for range 3 {
		createRuns(t, store, 1)
		if frame := nextFrame(t, busy); heartbeatPattern.MatchString(frame) {
			t.Error("a heartbeat comes although there are frames")
		}
	}
}

func TestSocket_TellsOfTheDrainOnce(t *testing.T) {
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

// Its upgrade was on the way when all sockets were told to leave.
func TestSocket_ThatComesDuringTheShutdownLeavesAsWell(t *testing.T) {
	t.Parallel()
	sockets := newSockets(bareServer(t, app.Config{UpgradeRate: 100, MaxSockets: 10, MaxSocketsPerAddress: 10}, io.Discard))
	sockets.times.pingInterval, sockets.times.heartbeat = time.Hour, time.Hour // which would come for it, too
	before, late := sockets.newSocket(nil, nil), sockets.newSocket(nil, nil)
	sockets.add(before)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	sockets.close(ended)
	sockets.add(late)
	for name, one := range map[string]*socket{"one that was there": before, "one that comes late": late} {
		for deadline := time.Now().Add(10 * time.Second); !one.timerFired.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not told to leave", name)
			}
		}
		one.pingTimer.Stop()
	}
}
