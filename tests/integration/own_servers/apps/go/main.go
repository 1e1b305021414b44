// Go server that echoes JSON after 50 ms: INSTANCE=a PORT=9000 echo
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

var instance = os.Getenv("INSTANCE")

type message struct {
	Instance string `json:"instance"`
	N        int    `json:"n,omitempty"`
}

func echo(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer socket.CloseNow()
	if wsjson.Write(r.Context(), socket, message{Instance: instance}) != nil {
		return
	}
	for {
		_, data, err := socket.Read(r.Context())
		if err != nil {
			return
		}
		var asked message
		if json.Unmarshal(data, &asked) != nil {
			socket.Close(websocket.StatusUnsupportedData, "not JSON")
			return
		}
		time.Sleep(50 * time.Millisecond)
		if wsjson.Write(r.Context(), socket, message{instance, asked.N}) != nil {
			return
		}
	}
}

func main() {
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(instance)) })
	server := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT")}
	go server.ListenAndServe()
	stop, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	<-stop.Done()
	server.Shutdown(context.Background())
}
