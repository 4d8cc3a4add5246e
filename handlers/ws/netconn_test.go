package ws

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// connected returns both ends of a connection with the smallest possible send buffer.
func connected(t testing.TB) (server *NetConn, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetWriteBuffer(1); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), client.Close() })
	return &NetConn{Conn: conn}, client
}

func TestNetConn_WritesNothingBetweenPartsOfAMessage(t *testing.T) {
	server, client := connected(t)
	message, other := bytes.Repeat([]byte("a"), 512<<10), []byte("b")
	rest, err := server.tryWrite(message, &nonBlocking{})
	if err != nil || len(rest) == 0 || len(rest) == len(message) {
		t.Fatalf("of %d bytes %d are left, %v", len(message), len(rest), err)
	}
	written := make(chan error, 2)
	go func() { _, err := server.Write(other); written <- err }()
	go func() { written <- server.writeRest(rest, time.Minute) }()
	all, err := io.ReadAll(io.LimitReader(client, int64(len(message)+len(other))))
	if err != nil || !bytes.Equal(all, append(message, other...)) {
		t.Errorf("%d bytes arrived, the last is %q, %v", len(all), all[len(all)-1:], err)
	}
	for range 2 {
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
}

func TestNetConn_TryWriteNeverBlocks(t *testing.T) {
	server, client := connected(t)
	for rest := []byte(nil); len(rest) == 0; { // until the send buffer is full
		var err error
		if rest, err = server.tryWrite(bytes.Repeat([]byte("a"), 1<<20), &nonBlocking{}); err != nil {
			t.Fatal(err)
		}
	}
	if rest, err := server.tryWrite([]byte("b"), &nonBlocking{}); string(rest) != "b" || err != nil {
		t.Errorf("during another message, %q is left, %v", rest, err)
	}
	if err := server.writeRest(make([]byte, 8<<20), time.Millisecond); err == nil {
		t.Error("writeRest does not fail after its timeout")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
}

// A write deadline applies to the connection, not only to the write for which it was set.
func TestNetConn_TryWriteSucceedsAfterAnEarlierDeadline(t *testing.T) {
	t.Parallel()
	const timeout = 3 * time.Second
	server, client := connected(t)
	message := bytes.Repeat([]byte("a"), 512<<10)
	rest, err := server.tryWrite(message, &nonBlocking{})
	if err != nil || len(rest) == 0 {
		t.Fatalf("of %d bytes %d are left, %v", len(message), len(rest), err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, client, int64(len(message)))
		read <- err
	}()
	if err := server.writeRest(rest, timeout); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	time.Sleep(timeout)
	if rest, err := server.tryWrite([]byte("b"), &nonBlocking{}); len(rest) != 0 || err != nil {
		t.Errorf("after the deadline %q is left: %v", rest, err)
	}
}
