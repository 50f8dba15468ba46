package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	shop "shop-clients/gen/shop/v1"
)

// Paths of all methods that were called.
var called sync.Map

// No case takes longer.
var ctx, _ = context.WithTimeout(context.Background(), 280*time.Second)

// All services, called with one token or none.
type Client struct {
	conn     *grpc.ClientConn
	plain    *grpc.ClientConn // whose calls are not noted
	products shop.ProductServiceClient
	orders   shop.OrderServiceClient
	prices   shop.PriceServiceClient
	chat     shop.ChatServiceClient
	files    shop.UploadServiceClient
}

// A shop with the admin Ann and the customers Bob and Eve.
type Shop struct {
	nobody, stranger, ann, bob, eve *Client
}

func connect(address, ca, cert, key string) *Shop {
	secure := insecure.NewCredentials()
	if ca != "" {
		config := &tls.Config{RootCAs: x509.NewCertPool()}
		isTrue(config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(ca))), "no certificate in %s", ca)
		if cert != "" {
			config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(cert, key))}
		}
		secure = credentials.NewTLS(config)
	}
	as := func(token string) *Client {
		with := func(ctx context.Context) context.Context {
			if token == "" {
				return ctx
			}
			return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		}
		dial := func(note func(path string)) *grpc.ClientConn {
			unary := func(
				ctx context.Context, path string, request, response any, conn *grpc.ClientConn, call grpc.UnaryInvoker,
				options ...grpc.CallOption,
			) error {
				note(path)
				return call(with(ctx), path, request, response, conn, options...)
			}
			stream := func(
				ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, path string, call grpc.Streamer,
				options ...grpc.CallOption,
			) (grpc.ClientStream, error) {
				note(path)
				return call(with(ctx), desc, conn, path, options...)
			}
			options := []grpc.DialOption{
				grpc.WithTransportCredentials(secure), grpc.WithUnaryInterceptor(unary), grpc.WithStreamInterceptor(stream),
			}
			return must(grpc.NewClient("passthrough:///"+address, options...))
		}
		conn := dial(func(path string) { called.Store(path, true) })
		return &Client{
			conn,
			dial(func(string) {}),
			shop.NewProductServiceClient(conn),
			shop.NewOrderServiceClient(conn),
			shop.NewPriceServiceClient(conn),
			shop.NewChatServiceClient(conn),
			shop.NewUploadServiceClient(conn),
		}
	}
	return &Shop{as(""), as("made-up"), as("ann-token"), as("bob-token"), as("eve-token")}
}
