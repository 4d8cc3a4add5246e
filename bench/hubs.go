package main

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/olahol/melody"
)

// hub sends each published message to all sockets.
type hub struct {
	accept  http.HandlerFunc
	publish func(message []byte)
}

// hubs are the compared hubs by name, each with the first message that its clients must send.
var hubs = map[string]struct {
	make  func() (hub, error)
	hello string
}{
	"limit: a bare write to each": {bareHub, ""},
	"goroutine for each socket":   {goroutineHub, ""},
	"melody":                      {melodyHub, ""},
	"gws":                         {gwsHub, ""},
	"centrifuge":                  {centrifugeHub, `{"id":1,"connect":{}}`},
}

// hubNames are the keys of hubs in the order of the tables; the first is the limit.
var hubNames = []string{"limit: a bare write to each", "goroutine for each socket", "melody", "gws",
	"centrifuge"}

// hubChild serves a hub until the process is killed. Clients connect at /ws, a POST to /publish is sent to
// all sockets, and /storm starts a storm.
func hubChild(input *json.Decoder) (sample, error) {
	var name string
	if err := input.Decode(&name); err != nil {
		return nil, err
	}
	h, err := hubs[name].make()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", h.accept)
	mux.HandleFunc("/publish", func(_ http.ResponseWriter, r *http.Request) {
		message, _ := io.ReadAll(r.Body)
		h.publish(message)
	})
	mux.HandleFunc("/storm", func(_ http.ResponseWriter, r *http.Request) { storm(h, r.URL.Query()) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", listener.Addr())
	return nil, http.Serve(listener, mux)
}

// storm publishes pace messages a second for ms milliseconds, as the query asks. Each message carries the
// time at which it was due, which shows how far the hub is behind.
func storm(h hub, asked url.Values) {
	pace, _ := strconv.Atoi(asked.Get("pace"))
	lasting, _ := strconv.Atoi(asked.Get("ms"))
	began := time.Now()
	for i := range pace * lasting / 1000 {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(pace))
		time.Sleep(time.Until(due))
		h.publish(fmt.Appendf(nil, `<td data-at="%d">%0*d</td>`, due.UnixMilli(), stormCell, i))
		if time.Since(began).Milliseconds() > int64(lasting) {
			return
		}
	}
}

// framed returns a message of at most 65,535 bytes as an unmasked text frame.
func framed(message []byte) []byte {
	if len(message) < 126 {
		return append([]byte{0x81, byte(len(message))}, message...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(message))), message...)
}

// bareHub is the limit: one goroutine writes the same bytes to each socket, and does nothing else.
func bareHub() (hub, error) {
	var mu sync.Mutex
	var sockets []net.Conn
	accept := func(w http.ResponseWriter, r *http.Request) {
		conn, err := hijack(w, r)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		sockets = append(sockets, conn)
	}
	return hub{accept, func(message []byte) {
		mu.Lock()
		defer mu.Unlock()
		bytes := framed(message)
		for _, socket := range sockets {
			_, _ = socket.Write(bytes)
		}
	}}, nil
}

// hijack takes over the connection and completes the WebSocket handshake by hand.
func hijack(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return conn, err
}

// goroutineHub is the common design: a goroutine and a channel for each socket.
func goroutineHub() (hub, error) {
	var mu sync.Mutex
	sockets := map[chan []byte]bool{}
	upgrader := websocket.Upgrader{}
	accept := func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		outgoing := make(chan []byte, 256)
		mu.Lock()
		sockets[outgoing] = true
		mu.Unlock()
		go func() { _, _, _ = ws.NextReader() }()
		for message := range outgoing {
			if ws.WriteMessage(websocket.TextMessage, message) != nil {
				return
			}
		}
	}
	return hub{accept, func(message []byte) {
		mu.Lock()
		defer mu.Unlock()
		for outgoing := range sockets {
			outgoing <- message
		}
	}}, nil
}

func melodyHub() (hub, error) {
	m := melody.New()
	m.Config.MaxMessageSize = 1 << 16
	return hub{func(w http.ResponseWriter, r *http.Request) { _ = m.HandleRequest(w, r) },
		func(message []byte) { _ = m.Broadcast(message) }}, nil
}

type gwsHandler struct {
	gws.BuiltinEventHandler
	sockets sync.Map
}

func (h *gwsHandler) OnOpen(socket *gws.Conn) { h.sockets.Store(socket, true) }

func gwsHub() (hub, error) {
	handler := &gwsHandler{}
	upgrader := gws.NewUpgrader(handler, &gws.ServerOption{})
	accept := func(w http.ResponseWriter, r *http.Request) {
		if socket, err := upgrader.Upgrade(w, r); err == nil {
			go socket.ReadLoop()
		}
	}
	return hub{accept, func(message []byte) {
		broadcaster := gws.NewBroadcaster(gws.OpcodeText, message)
		defer broadcaster.Close()
		handler.sockets.Range(func(socket, _ any) bool {
			_ = broadcaster.Broadcast(socket.(*gws.Conn))
			return true
		})
	}}, nil
}

func centrifugeHub() (hub, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return hub{}, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: "reader"},
			Subscriptions: map[string]centrifuge.SubscribeOptions{"all": {}},
		}, nil
	})
	if err := node.Run(); err != nil {
		return hub{}, err
	}
	accept := centrifuge.NewWebsocketHandler(node,
		centrifuge.WebsocketConfig{CheckOrigin: func(*http.Request) bool { return true }})
	return hub{accept.ServeHTTP, func(message []byte) {
		text, _ := json.Marshal(string(message))
		_, _ = node.Publish("all", text)
	}}, nil
}

// publishTo has the hub at url send a message to all its sockets. It returns when the hub has published it.
func publishTo(url string, message string) error {
	response, err := http.Post(url+"/publish", "text/html", strings.NewReader(message))
	if err != nil {
		return err
	}
	return response.Body.Close()
}
