package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"

	"runboard/e2e/harness"
)

// idleSocket is the maximum memory of the server for an idle socket, in bytes.
const idleSocket = 32 << 10

func TestSocket_IdleOneNeedsLittleMemory(t *testing.T) {
	t.Parallel()
	const sockets = 2000
	b := harness.StartProcess(t,
		append(harness.AtOnce, "--upgrade-rate", "0", "--max-sockets-per-address", fmt.Sprint(sockets))...)
	b.Post(30)
	b.WaitUntilDone(30)
	before := useOf(b)
	dialer := &websocket.Dialer{ReadBufferSize: 4096, WriteBufferSize: 256,
		HandshakeTimeout: harness.Patience}
	for range sockets {
		conn, response, err := dialer.Dial("ws"+strings.TrimPrefix(b.URL, "http")+"/process_runs/live", nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("a socket cannot be opened: %v", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, _, err := conn.ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	harness.Eventually(t, "each idle socket needs little memory", func() error {
		each := (useOf(b).memory - before.memory) / sockets
		if each > idleSocket {
			return fmt.Errorf("each costs %.0f bytes", each)
		}
		t.Logf("each costs %.0f bytes", each)
		return nil
	})
}
