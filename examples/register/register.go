// Registers a WebSocket server at a Ringway gateway: keeps the lease, drains on SIGTERM. Standard library only.
//
//	AT=http://gateway:7400 TOKEN=... go run register.go chat-1 ws://10.0.0.5:9000
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type said struct{ Left *int; Error string }

func call(method, path string, body map[string]any) (answer said, status int) {
	data, _ := json.Marshal(body)
	request, _ := http.NewRequest(method, os.Getenv("AT")+"/v1/backends/"+os.Args[1]+path, bytes.NewReader(data))
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Timeout: 3 * time.Second}).Do(request)
	if err != nil {
		return said{Error: err.Error()}, 0
	}
	defer response.Body.Close()
	json.NewDecoder(response.Body).Decode(&answer)
	return answer, response.StatusCode
}

func main() {
	life := fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano()) // different in each life of the server
	stop, end := make(chan os.Signal, 1), time.Time{}
	signal.Notify(stop, syscall.SIGTERM)
	for registered, pause := false, 3*time.Second; end.IsZero() || time.Now().Before(end); {
		method, path, body := "PUT", "", map[string]any{"url": os.Args[2], "ttl_s": 9, "incarnation": life}
		if registered {
			method, path, body = "POST", "/renew", map[string]any{"incarnation": life}
		}
		answer, status := call(method, path, body)
		if status != 200 && status != 201 { // 404: the lease is over, or the gateway is new
			fmt.Fprintln(os.Stderr, "ringway:", answer.Error)
		}
		registered = status == 200 || status == 201 || registered && status != 404
		if !end.IsZero() && answer.Left != nil && *answer.Left == 0 {
			break
		}
		select {
		case <-stop: // lead the clients away, for at most 20 seconds
			call("POST", "/drain", map[string]any{"within_s": 20, "force": true})
			pause, end = time.Second/2, time.Now().Add(20*time.Second)
		case <-time.After(pause): // a third of the lease
		}
	}
	call("DELETE", "?incarnation="+life, nil)
}
