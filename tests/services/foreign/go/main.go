// Health and reflection of grpc-go, and nothing else. Prints the address and serves until it is ended.
//
// The service "changing" goes from one state to the other, over and over.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

func main() {
	alphaOnly := flag.Bool("alpha-only", false, "reflection as v1alpha alone")
	noHealth := flag.Bool("no-health", false, "no health service")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	if !*noHealth {
		states := health.NewServer()
		states.SetServingStatus("broken", healthpb.HealthCheckResponse_NOT_SERVING)
		healthpb.RegisterHealthServer(server, states)
		go func() {
			for serving := true; ; serving = !serving {
				state := healthpb.HealthCheckResponse_NOT_SERVING
				if serving {
					state = healthpb.HealthCheckResponse_SERVING
				}
				states.SetServingStatus("changing", state)
				time.Sleep(200 * time.Millisecond)
			}
		}()
	}
	if *alphaOnly {
		alpha.RegisterServerReflectionServer(server, reflection.NewServer(reflection.ServerOptions{Services: server}))
	} else {
		reflection.Register(server)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
