package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// crowd is a set of open WebSockets. They are read by as little code as possible, so that the CPU time goes
// to the server under test.
type crowd struct {
	conns   []net.Conn
	readers sync.WaitGroup
}

// openCrowd opens size WebSockets at a path, at most 64 at a time. Each sends hello, unless that is empty,
// and then passes its index and each text frame to seen, until the caller calls leave. Sockets call seen
// concurrently, and frame is only valid until seen returns.
func openCrowd(
	server, path string, size int, hello string, seen func(socket int, frame []byte),
) (*crowd, error) {
	c := &crowd{conns: make([]net.Conn, size)}
	address := strings.TrimPrefix(server, "http://")
	failed := make(chan error, size)
	limit := make(chan struct{}, 64) // handshakes at a time
	for i := range size {
		limit <- struct{}{}
		go func() {
			defer func() { <-limit }()
			conn, reader, err := openSocket(address, path)
			if err == nil && hello != "" {
				_, err = conn.Write(masked(hello))
			}
			if err == nil {
				c.conns[i] = conn
				c.readers.Go(func() { readFrames(reader, func(frame []byte) { seen(i, frame) }) })
			}
			failed <- err
		}()
	}
	var all error
	for range size {
		all = errors.Join(all, <-failed)
	}
	return c, all
}

// leave closes all sockets and waits for their readers.
func (c *crowd) leave() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.readers.Wait()
}

// openSocket connects and performs the handshake by hand. The reader may hold the first frames.
func openSocket(address, path string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", path, address)
	if err != nil {
		return nil, nil, err
	}
	reader := bufio.NewReaderSize(conn, 2048)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return conn, reader, nil
}

// masked returns a text frame as clients send it, with a mask of zeros. The text has at most 125 bytes.
func masked(text string) []byte {
	frame := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0} // one byte of length is enough
	return append(frame, text...)
}

// buffers holds frame buffers, because a crowd has more sockets than frames being read.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// readFrames passes the payload of each text frame to seen until the connection ends.
func readFrames(reader *bufio.Reader, seen func([]byte)) {
	var head [8]byte
	for {
		if _, err := io.ReadFull(reader, head[:2]); err != nil {
			return
		}
		kind, size := head[0]&0x0f, uint64(head[1]&0x7f)
		if size >= 126 {
			more := head[:2]
			if size == 127 {
				more = head[:8]
			}
			if _, err := io.ReadFull(reader, more); err != nil {
				return
			}
			size = uint64(binary.BigEndian.Uint16(more))
			if len(more) == 8 {
				size = binary.BigEndian.Uint64(more)
			}
		}
		buffer := buffers.Get().(*[]byte)
		if uint64(cap(*buffer)) < size {
			*buffer = make([]byte, size)
		}
		if _, err := io.ReadFull(reader, (*buffer)[:size]); err != nil {
			return
		}
		if kind == 1 {
			seen((*buffer)[:size])
		}
		buffers.Put(buffer)
	}
}
