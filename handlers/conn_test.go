package handlers

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/valyala/fasthttp"

	"runboard/handlers/ws"
)

// reading is a connection whose bytes come from a reader.
type reading struct {
	net.Conn
	io.Reader
}

func (r reading) Read(b []byte) (int, error) { return r.Reader.Read(b) }

func TestClientConn_FindsBareLineEndsInAnyChunks(t *testing.T) {
	for text, bare := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":                      false,
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n{\n\"count\": 1\n}\n": false,
		"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n":               false,
		"GET / HTTP/1.1\n\n":                                     true,
		"GET / HTTP/1.1\r\nHost: a\n\r\n":                        true,
		"GET / HTTP/1.1\r\nHost: a\r\n\n":                        true,
		"\n":                                                     true,
	} {
		for _, reader := range []io.Reader{strings.NewReader(text),
			iotest.OneByteReader(strings.NewReader(text)), iotest.HalfReader(strings.NewReader(text))} {
			_, err := io.ReadAll(&clientConn{NetConn: ws.NetConn{Conn: reading{Reader: reader}}})
			if errors.Is(err, errBareLine) != bare {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

func TestServerLog_HasOneLineAMinute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	conns := serverLog{log: slog.New(slog.NewTextHandler(&log, nil))}
	for i := range 1000 {
		conns.Printf("error when serving connection %d: %v", i, fasthttp.ErrBodyTooLarge)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 ||
		!strings.Contains(log.String(), "connection 0") {
		t.Errorf("1000 failed connections are logged in %d lines:\n%.500s", lines, log.String())
	}
}
