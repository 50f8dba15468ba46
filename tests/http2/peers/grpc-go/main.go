// A grpc-go server without services, to attack: `grpc-go ADDRESS:PORT` prints `listening on ADDR`.
//
// Any path answers UNIMPLEMENTED, but "/large/zeros", which answers a stream of large messages.
package main

import (
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Messages are octets as they are.
type octets struct{}

func (octets) Marshal(message any) ([]byte, error)      { return *message.(*[]byte), nil }
func (octets) Unmarshal(data []byte, message any) error { *message.(*[]byte) = data; return nil }
func (octets) Name() string                             { return "octets" }

func large(_ any, stream grpc.ServerStream) error {
	if method, _ := grpc.MethodFromServerStream(stream); method != "/large/zeros" {
		return status.Error(codes.Unimplemented, "there are no services")
	}
	message := make([]byte, 16<<10)
	for range 4096 {
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "grpc-go:", err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	server := grpc.NewServer(grpc.UnknownServiceHandler(large), grpc.ForceServerCodec(octets{}))
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, "grpc-go:", err)
		os.Exit(1)
	}
}
