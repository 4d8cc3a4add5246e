package ws

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"
)

// netConns is a listener whose connections are NetConns.
type netConns struct{ net.Listener }

func (l netConns) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &NetConn{Conn: conn}, nil
}

// oneMessage is a Source with one message after each broadcast.
type oneMessage struct {
	message []byte
	due     atomic.Bool
}

func (s *oneMessage) Next() ([]byte, error) {
	if s.due.Swap(false) {
		return s.message, nil
	}
	return nil, nil
}

func (s *oneMessage) Heartbeat(time.Time) ([]byte, error) { return nil, nil }

// BenchmarkConn_Broadcast sends messages to a thousand connections, each after all have read the previous
// one.
func BenchmarkConn_Broadcast(b *testing.B) {
	const connections = 1000
	message := bytes.Repeat([]byte("x"), 1000)
	upgrader := NewUpgrader(slog.New(slog.DiscardHandler))
	var (
		mu      sync.Mutex
		conns   []*Conn
		sources []*oneMessage
		ready   sync.WaitGroup
	)
	ready.Add(connections)
	fiberApp := fiber.New(fiber.Config{DisableStartupMessage: true})
	fiberApp.Server().KeepHijackedConns = true
	fiberApp.Get("/", func(c *fiber.Ctx) error {
		return upgrader.Upgrade(c, func(conn *Conn) {
			source := &oneMessage{message: message}
			mu.Lock()
			conns = append(conns, conn)
			sources = append(sources, source)
			mu.Unlock()
			ready.Done()
			conn.Serve(source)
		})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	go func() { _ = fiberApp.Listener(netConns{listener}) }()
	var read sync.WaitGroup
	for range connections {
		conn, _, err := websocket.DefaultDialer.Dial("ws://"+listener.Addr().String()+"/", nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.NetConn().Close() })
		go func() {
			for buffer := make([]byte, len(message)+4); ; read.Done() { // with the frame header
				if _, err := io.ReadFull(conn.NetConn(), buffer); err != nil {
					return
				}
			}
		}()
	}
	ready.Wait()
	b.ReportAllocs()
	for b.Loop() {
		read.Add(connections)
		for i, conn := range conns {
			sources[i].due.Store(true)
			conn.Wake()
		}
		read.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/connections, "ns/delivery")
}
