package harness

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"
	"github.com/gavv/httpexpect/v2"
)

// Watch opens a socket as a page does.
func Watch(t *testing.T, p *Program, path string) *httpexpect.Websocket {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	ws := NewExpect(t, p).GET(path).WithQueryString(query).WithWebsocketUpgrade().
		Expect().Status(http.StatusSwitchingProtocols).Websocket().WithReadTimeout(Patience)
	t.Cleanup(func() { ws.Disconnect() })
	return ws
}

var cellPattern = regexp.MustCompile(`<td id="process_run_(\d+)_status" data-status="(\w+)" data-version="(\d+)"`)

// Screen is what a page shows after the frames that it has received: the newest cell of each run, by run ID.
type Screen map[string]Cell

// Cell is the status cell of a run.
type Cell struct {
	Status  string
	Version int
}

// Apply applies a frame. The test fails if the version of a cell decreases, or if one version has two
// statuses.
func (s Screen) Apply(t testing.TB, frame string) {
	t.Helper()
	for _, cell := range cellPattern.FindAllStringSubmatch(frame, -1) {
		version, _ := strconv.Atoi(cell[3])
		if before := s[cell[1]]; version < before.Version {
			t.Errorf("run %s went from version %d back to %d", cell[1], before.Version, version)
		} else if version == before.Version && cell[2] != before.Status {
			t.Errorf("version %d of run %s was %s and is %s", version, cell[1], before.Status, cell[2])
		}
		s[cell[1]] = Cell{cell[2], version}
	}
}

// Count returns the number of runs that the screen shows in this status.
func (s Screen) Count(status string) (n int) {
	for _, cell := range s {
		if cell.Status == status {
			n++
		}
	}
	return n
}

// ReadUntil calls each with every frame of a socket until ctx ends or the connection is lost. It then closes
// the socket.
func ReadUntil(ctx context.Context, conn *websocket.Conn, each func(frame string)) {
	closing := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer closing()
	defer conn.Close()
	for _, frame, err := conn.ReadMessage(); err == nil; _, frame, err = conn.ReadMessage() {
		each(string(frame))
	}
}

// RawSocket opens a socket without a WebSocket library, so that a test can misuse it.
func RawSocket(addr, path string) (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetReadBuffer(1)
	_, err = fmt.Fprintf(tcp, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", path, addr)
	return tcp, err
}
