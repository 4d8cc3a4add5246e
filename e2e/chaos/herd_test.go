package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"runboard/e2e/harness"
)

// herd is many sockets of the list. Each reconnects by itself when its connection is lost.
type herd struct {
	members sync.WaitGroup
	right   atomic.Int64 // open sockets whose first frame was right
	wrong   atomic.Int64 // number of connections whose first frame was wrong
}

// gather keeps n sockets open until ctx ends. After each connect, the first frame must be a whole list that
// contains must.
func gather(ctx context.Context, url string, n int, must string) *herd {
	h := &herd{}
	dialer := &websocket.Dialer{ReadBufferSize: 4096, WriteBufferSize: 256,
		HandshakeTimeout: harness.Patience}
	for range n {
		h.members.Go(func() {
			// pages also reconnect after a random time
			for ; ctx.Err() == nil; time.Sleep(rand.N(time.Second)) {
				address := "ws" + strings.TrimPrefix(url, "http") + "/process_runs/live"
				conn, _, err := dialer.DialContext(ctx, address, nil)
				if err == nil {
					h.stay(ctx, conn, must)
				}
			}
		})
	}
	return h
}

// stay checks the first frame of a socket, and reads until the connection is lost.
func (h *herd) stay(ctx context.Context, conn *websocket.Conn, must string) {
	var verdict *atomic.Int64
	harness.ReadUntil(ctx, conn, func(frame string) {
		if verdict != nil {
			return
		}
		verdict = &h.wrong
		if strings.HasPrefix(frame, `<hx-partial hx-target="#process_runs"`) &&
			strings.Contains(frame, must) {
			verdict = &h.right
		}
		verdict.Add(1)
	})
	if verdict == &h.right {
		verdict.Add(-1)
	}
}

func TestHerd_ReconnectsAfterARestart(t *testing.T) {
	t.Parallel()
	const size = 5000
	b := harness.StartProcess(t,
		append(harness.AtOnce, "--failure-rate", "0", "--upgrade-rate", "0", "--max-sockets-per-address",
			fmt.Sprint(2*size))...)
	b.Post(30)
	b.WaitUntilDone(30)
	ctx, leave := context.WithCancel(t.Context())
	h := gather(ctx, b.URL, size, `<b id="count_completed">30</b>`)
	defer h.members.Wait()
	defer leave()
	together := func() error {
		if n := h.right.Load(); n != size || h.wrong.Load() > 0 {
			return fmt.Errorf("%d of %d sockets are right, %d were wrong", n, size, h.wrong.Load())
		}
		return nil
	}
	harness.Eventually(t, "all sockets are open", together)
	b.Kill()
	harness.Eventually(t, "all connections are cut", func() error {
		if n := h.right.Load(); n != 0 {
			return fmt.Errorf("%d sockets are still open", n)
		}
		return nil
	})
	began, pages := time.Now(), 0
	b.Restart()
	for ; h.right.Load() < size && time.Since(began) < harness.Patience; pages++ {
		if err := b.Get("/process_runs", nil); err != nil {
			t.Errorf("meanwhile a page is not answered: %v", err)
		}
	}
	if err := together(); err != nil {
		t.Error(err)
	}
	took := time.Since(began)
	t.Logf("back after %v, meanwhile %d pages were answered", took.Round(time.Millisecond), pages)
	if took > 30*time.Second || pages == 0 {
		t.Error("that is too long, or too few")
	}
}
