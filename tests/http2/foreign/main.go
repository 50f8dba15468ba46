// Go's HTTP/2, as server and as client:
//
//	foreign serve [DRAIN_AFTER_REQUESTS]     prints "listening on ADDR"
//	foreign call URL REQUESTS CONCURRENCY BODY_BYTES
//
// The server echoes bodies and trailers. The client checks that it gets back what it sent.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve()
	} else if len(os.Args) == 6 {
		call()
	} else {
		fmt.Fprintln(os.Stderr, "usage: foreign serve [N] | call URL REQUESTS CONCURRENCY BODY")
		os.Exit(2)
	}
}

func plain() *http.Protocols {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	return protocols
}

func serve() {
	var drainAfter int64
	if len(os.Args) > 2 {
		drainAfter, _ = strconv.ParseInt(os.Args[2], 10, 64)
	}
	var served atomic.Int64
	drain := make(chan struct{}, 1)
	echo := func(writer http.ResponseWriter, request *http.Request) {
		if served.Add(1) == drainAfter {
			drain <- struct{}{}
		}
		writer.Header().Set("Trailer", "x-checksum")
		buffer := make([]byte, 64<<10)
		for {
			count, err := request.Body.Read(buffer)
			if count > 0 {
				writer.Write(buffer[:count])
				writer.(http.Flusher).Flush()
			}
			if err != nil {
				break
			}
		}
		if checksum := request.Trailer.Get("x-checksum"); checksum != "" {
			writer.Header().Set("x-checksum", checksum)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("listening on", listener.Addr())
	for {
		server := &http.Server{Handler: http.HandlerFunc(echo), Protocols: plain()}
		if drainAfter == 0 {
			server.Serve(listener)
			return
		}
		// A server that goes away under load, with the next one on the same socket.
		kept := &keptListener{Listener: listener}
		go func() {
			<-drain
			kept.stop()
			context, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			server.Shutdown(context)
		}()
		server.Serve(kept)
	}
}

// keptListener leaves the socket open when it is closed.
type keptListener struct {
	net.Listener
	stopped atomic.Bool
}

func (kept *keptListener) stop() {
	kept.stopped.Store(true)
	kept.Listener.(*net.TCPListener).SetDeadline(time.Now())
}

func (kept *keptListener) Accept() (net.Conn, error) {
	if kept.stopped.Load() {
		return nil, http.ErrServerClosed
	}
	connection, err := kept.Listener.Accept()
	if kept.stopped.Load() {
		kept.Listener.(*net.TCPListener).SetDeadline(time.Time{})
	}
	return connection, err
}

func (kept *keptListener) Close() error { return nil }

func call() {
	url := os.Args[2]
	requests, _ := strconv.Atoi(os.Args[3])
	concurrency, _ := strconv.Atoi(os.Args[4])
	size, _ := strconv.Atoi(os.Args[5])
	body := make([]byte, size)
	for at := range body {
		body[at] = byte(at * 31)
	}
	transport := &http.Transport{Protocols: plain(), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	client := &http.Client{Transport: transport}
	var group sync.WaitGroup
	var failed, succeeded atomic.Int64
	work := make(chan struct{})
	for range concurrency {
		group.Add(1)
		go func() {
			defer group.Done()
			for range work {
				if err := one(client, url, body); err != nil {
					failed.Add(1)
					fmt.Fprintln(os.Stderr, "foreign:", err)
				} else {
					succeeded.Add(1)
				}
			}
		}()
	}
	for range requests {
		work <- struct{}{}
	}
	close(work)
	group.Wait()
	fmt.Println(succeeded.Load(), "succeeded,", failed.Load(), "failed")
	if failed.Load() > 0 {
		os.Exit(1)
	}
}

func one(client *http.Client, url string, body []byte) error {
	request, err := http.NewRequest("POST", url, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return err
	}
	request.Trailer = http.Header{"x-checksum": {"none"}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	echoed, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(echoed, body) {
		return fmt.Errorf("status %d, %d bytes instead of %d", response.StatusCode, len(echoed), len(body))
	}
	if response.Trailer.Get("x-checksum") != "none" {
		return fmt.Errorf("trailers %v", response.Trailer)
	}
	return nil
}
