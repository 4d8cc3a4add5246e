package handlers

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// connected are the two ends of a connection that holds little of what is written and not yet read.
func connected(t testing.TB) (server *sniffConn, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn, err := (&connections{Listener: smallListener{listener}, most: 1, mostPerAddress: 1, exempt: func(netip.Addr) bool { return false }, peers: map[netip.Addr]*peer{}}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), client.Close() })
	return conn.(*sniffConn), client
}

func TestNothingComesBetweenThePartsOfAMessage(t *testing.T) {
	server, client := connected(t)
	message, other := bytes.Repeat([]byte("a"), 512<<10), []byte("b")
	rest, err := server.tryWrite(message, &tryWriter{})
	if err != nil || len(rest) == 0 || len(rest) == len(message) {
		t.Fatalf("of %d bytes %d are left, %v", len(message), len(rest), err)
	}
	written := make(chan error, 2)
	go func() { _, err := server.Write(other); written <- err }()
	go func() { written <- server.writeRest(rest, time.Minute) }()
	all, err := io.ReadAll(io.LimitReader(client, int64(len(message)+len(other))))
	if err != nil || !bytes.Equal(all, append(message, other...)) {
		t.Errorf("%d bytes came, the last is %q, %v", len(all), all[len(all)-1:], err)
	}
	for range 2 {
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}

func TestAnOfferWaitsForNobody(t *testing.T) {
	server, client := connected(t)
	for rest := []byte(nil); len(rest) == 0; { // until nothing more fits
		var err error
		if rest, err = server.tryWrite(bytes.Repeat([]byte("a"), 1<<20), &tryWriter{}); err != nil {
			t.Fatal(err)
		}
	}
	if rest, err := server.tryWrite([]byte("b"), &tryWriter{}); string(rest) != "b" || err != nil {
		t.Errorf("while a message is not at its end: %q, %v", rest, err)
	}
	if err := server.writeRest(make([]byte, 8<<20), time.Millisecond); err == nil {
		t.Error("a reader that takes nothing is waited for")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAPingIsAnsweredWithWhatItSays(t *testing.T) {
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
	said := strings.Repeat("x", 125)
	if err := conn.WriteControl(websocket.PingMessage, []byte(said), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	select {
	case data := <-answered:
		if data != said {
			t.Errorf("the answer is %q", data)
		}
	case <-time.After(30 * time.Second):
		t.Error("there is no answer")
	}
}

// BenchmarkOffer offers one frame after the other to a thousand sockets, each when all have read the one before.
func BenchmarkOffer(b *testing.B) {
	const sockets = 1000
	frame, read := bytes.Repeat([]byte("x"), 1000), sync.WaitGroup{}
	conns := make([]*sniffConn, sockets)
	for i := range conns {
		var client net.Conn
		conns[i], client = connected(b)
		go func() {
			for buffer := make([]byte, len(frame)); ; read.Done() {
				if _, err := io.ReadFull(client, buffer); err != nil {
					return
				}
			}
		}()
	}
	var o tryWriter
	b.ReportAllocs()
	for b.Loop() {
		read.Add(sockets)
		for _, conn := range conns {
			if rest, err := conn.tryWrite(frame, &o); rest != nil || err != nil {
				b.Fatal(len(rest), err)
			}
		}
		read.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sockets, "ns/delivery")
}

// The deadline is of the connection, and not of the write that it was set for.
func TestOffer_IsTakenAfterTheDeadlineOfAnEarlierWrite(t *testing.T) {
	t.Parallel()
	const within = 3 * time.Second
	server, client := connected(t)
	message := bytes.Repeat([]byte("a"), 512<<10)
	rest, err := server.tryWrite(message, &tryWriter{})
	if err != nil || len(rest) == 0 {
		t.Fatalf("of %d bytes %d are left, %v", len(message), len(rest), err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, client, int64(len(message)))
		read <- err
	}()
	if err := server.writeRest(rest, within); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	time.Sleep(within)
	if rest, err := server.tryWrite([]byte("b"), &tryWriter{}); len(rest) != 0 || err != nil {
		t.Errorf("after the deadline %q is left: %v", rest, err)
	}
}
