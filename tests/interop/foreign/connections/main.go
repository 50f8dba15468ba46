// The peer of the tests of connections: grpc-go as a server and as a client, and raw frames.
//
//	connections serve [-min-time D] [-age D] [-idle D] [-time D]
//	connections load ADDRESS TIME CALLERS
//	connections pings ADDRESS
//	connections stay ADDRESS TIME
//	connections raw ADDRESS (wait | pings | requests N)
//
// Each writes to its output what it has found, a fact a line.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testing "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "connections:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) > 0 && arguments[0] == "serve" {
		return serve(arguments[1:])
	}
	if len(arguments) < 2 {
		return errors.New("what is to be done, and with whom?")
	}
	address, more := arguments[1], append(arguments[2:], "", "")
	switch arguments[0] {
	case "load":
		duration, err := time.ParseDuration(more[0])
		if err != nil {
			return err
		}
		callers, err := strconv.Atoi(more[1])
		if err != nil {
			return err
		}
		return load(address, duration, callers)
	case "pings":
		return pings(address)
	case "stay":
		duration, err := time.ParseDuration(more[0])
		if err != nil {
			return err
		}
		return stay(address, duration)
	case "raw":
		return raw(address, more[0], more[1])
	}
	return fmt.Errorf("what is %q?", arguments[0])
}

// ---------------------------------------------------------------- server

type service struct {
	testing.UnimplementedTestServiceServer
}

func (service) EmptyCall(context.Context, *testing.Empty) (*testing.Empty, error) {
	return &testing.Empty{}, nil
}

func (service) FullDuplexCall(stream testing.TestService_FullDuplexCallServer) error {
	for {
		_, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testing.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
}

func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	minTime := flags.Duration("min-time", 0, "between two pings of a client")
	age := flags.Duration("age", 0, "of a connection")
	idle := flags.Duration("idle", 0, "without calls")
	every := flags.Duration("time", 0, "of silence before a ping")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: *minTime}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: *age, MaxConnectionIdle: *idle, Time: *every, Timeout: time.Second,
		}),
	)
	testing.RegisterTestServiceServer(server, service{})
	fmt.Println("listening on", listener.Addr())
	return server.Serve(listener)
}

// ---------------------------------------------------------------- client

func connect(address string, connections *atomic.Int64, more ...grpc.DialOption) (*grpc.ClientConn, error) {
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		connections.Add(1)
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	options := append(more, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
	return grpc.NewClient("passthrough:///"+address, options...)
}

func chat(client testing.TestServiceClient, messages int) error {
	stream, err := client.FullDuplexCall(context.Background())
	if err != nil {
		return err
	}
	one := &testing.StreamingOutputCallRequest{ResponseParameters: []*testing.ResponseParameters{{Size: 1}}}
	for range messages {
		if err := stream.Send(one); err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != io.EOF {
		return fmt.Errorf("%v and not the end of the stream", err)
	}
	return nil
}

// load calls without end and counts what fails.
func load(address string, duration time.Duration, callers int) error {
	var connections, calls, failed atomic.Int64
	connection, err := connect(address, &connections)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := testing.NewTestServiceClient(connection)
	until := time.Now().Add(duration)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for round := 0; time.Now().Before(until); round++ {
				var err error
				if round%4 == 0 {
					err = chat(client, 3)
				} else {
					_, err = client.EmptyCall(context.Background(), &testing.Empty{})
				}
				calls.Add(1)
				if err != nil && failed.Add(1) <= 3 {
					fmt.Println("failure:", err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	all.Wait()
	fmt.Printf("calls: %d\nfailed: %d\nconnections: %d\n", calls.Load(), failed.Load(), connections.Load())
	return nil
}

// pings opens a call and waits for its end, with the shortest keepalive that grpc-go has.
func pings(address string) error {
	var connections atomic.Int64
	parameters := keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}
	connection, err := connect(address, &connections, grpc.WithKeepaliveParams(parameters))
	if err != nil {
		return err
	}
	defer connection.Close()
	began := time.Now()
	stream, err := testing.NewTestServiceClient(connection).FullDuplexCall(context.Background())
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	fmt.Printf("seconds: %d\nstatus: %v %v\n", int(time.Since(began).Seconds()), status.Code(err), err)
	return nil
}

// stay holds a call, and says nothing on it.
func stay(address string, duration time.Duration) error {
	var connections atomic.Int64
	connection, err := connect(address, &connections)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	stream, err := testing.NewTestServiceClient(connection).FullDuplexCall(ctx)
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	fmt.Printf("status: %v\nconnections: %d\n", status.Code(err), connections.Load())
	return nil
}

// ---------------------------------------------------------------- frames

// raw says each GOAWAY as `goaway: LAST CODE TEXT`, and how long it took until the end.
func raw(address, what, count string) error {
	socket, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer socket.Close()
	began := time.Now()
	framer := http2.NewFramer(socket, socket)
	if _, err := io.WriteString(socket, http2.ClientPreface); err != nil {
		return err
	}
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	switch what {
	case "pings":
		for range 4 {
			if err := framer.WritePing(false, [8]byte{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
				return err
			}
		}
	case "requests":
		requests, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for request := range requests {
			block.Reset()
			for _, field := range [][2]string{
				{":method", "POST"}, {":scheme", "http"}, {":path", "/grpc.testing.TestService/EmptyCall"},
				{":authority", "test"}, {"content-type", "application/grpc"}, {"te", "trailers"},
			} {
				if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
					return err
				}
			}
			stream := uint32(2*request + 1)
			headers := http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true}
			if err := framer.WriteHeaders(headers); err != nil {
				return err
			}
			if err := framer.WriteData(stream, true, make([]byte, 5)); err != nil {
				return err
			}
		}
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			fmt.Printf("closed after: %.1f s\n", time.Since(began).Seconds())
			return nil
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = framer.WritePing(true, frame.Data)
			}
		case *http2.GoAwayFrame:
			fmt.Printf("goaway: %d %v %s\n", frame.LastStreamID, frame.ErrCode, frame.DebugData())
		}
		// The server may have closed already; what it said is still to be read.
		_ = err
	}
}
