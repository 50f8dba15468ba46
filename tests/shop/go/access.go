package main

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	shop "shop-clients/gen/shop/v1"
)

// Calls a method with a request that has nothing, and gives the code of its end.
func (c *Client) empty(service string, method grpc.StreamDesc) codes.Code {
	short, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	stream, err := c.plain.NewStream(short, &method, "/"+service+"/"+method.StreamName)
	if err == nil && !method.ClientStreams {
		err = stream.SendMsg(&emptypb.Empty{})
	}
	if err == nil {
		err = stream.CloseSend()
	}
	for err == nil || err == io.EOF {
		// Whatever comes, its fields are unknown to this type.
		if err = stream.RecvMsg(&emptypb.Empty{}); err == io.EOF || (err == nil && !method.ServerStreams) {
			return codes.OK
		}
	}
	return status.Code(err)
}

func tokens(s *Shop) {
	public := []string{"GetProduct", "ListProducts", "StreamProducts", "WatchProducts", "GetQuote"}
	forAdmins := []string{"CreateProduct", "UpdateProduct", "DeleteProduct", "BulkCreateProducts", "ProcessProductBatch"}
	for _, service := range []grpc.ServiceDesc{
		shop.ProductService_ServiceDesc, shop.OrderService_ServiceDesc, shop.PriceService_ServiceDesc,
		shop.ChatService_ServiceDesc, shop.UploadService_ServiceDesc,
	} {
		methods := slices.Clone(service.Streams)
		for _, method := range service.Methods {
			methods = append(methods, grpc.StreamDesc{StreamName: method.MethodName})
		}
		for _, method := range methods {
			name := method.StreamName
			for _, client := range []*Client{s.nobody, s.stranger} {
				code := client.empty(service.ServiceName, method)
				isTrue((code == codes.Unauthenticated) == !slices.Contains(public, name), "%s: %v", name, code)
			}
			code := s.bob.empty(service.ServiceName, method)
			isTrue((code == codes.PermissionDenied) == slices.Contains(forAdmins, name), "%s: %v", name, code)
			code = s.ann.empty(service.ServiceName, method)
			isTrue(code != codes.PermissionDenied && code != codes.Unauthenticated, "%s: %v", name, code)
		}
	}
	// What is wrong with the token is told.
	list := func(client *Client) error { return errorOf(client.orders.ListOrders(ctx, &shop.ListOrdersRequest{})) }
	missing, unknown := fails(codes.Unauthenticated, list(s.nobody)), fails(codes.Unauthenticated, list(s.stranger))
	isTrue(missing.Message() != unknown.Message(), "%s", missing.Message())
}

// Of a shop that takes 5 calls a second.
func rate(limited *Shop) {
	var err error
	var trailer metadata.MD
	for calls := 0; err == nil && calls < 200; calls++ {
		_, err = limited.nobody.products.GetProduct(ctx, &shop.GetProductRequest{Id: "p-1"}, grpc.Trailer(&trailer))
	}
	ended := fails(codes.ResourceExhausted, err)
	delay := detail[*errdetails.RetryInfo](ended).RetryDelay.AsDuration()
	isTrue(0 < delay && delay <= time.Second, "%v", delay)
	equal(len(detail[*errdetails.QuotaFailure](ended).Violations), 1)
	pushback := must(strconv.Atoi(trailer.Get("grpc-retry-pushback-ms")[0]))
	isTrue(0 < pushback && pushback <= 1000, "%d", pushback)
	// Callers with a token have calls of their own.
	must(limited.bob.orders.ListOrders(ctx, &shop.ListOrdersRequest{}))
}
