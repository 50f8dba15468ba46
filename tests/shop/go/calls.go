package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"

	shop "shop-clients/gen/shop/v1"
)

func deadlines(s *Shop) {
	id := s.create("DEADLINE", 5, euro(10, 0))
	order := must(s.bob.order("deadline", line(id, 1))).Id
	within := func(time time.Duration) context.Context {
		short, _ := context.WithTimeout(ctx, time)
		return short
	}
	started := time.Now()
	watch := must(s.bob.products.WatchProducts(within(300*time.Millisecond), &shop.WatchProductsRequest{Ids: []string{"p-1"}}))
	fails(codes.DeadlineExceeded, errorOf(collect(watch)))
	track := must(s.bob.orders.TrackOrder(within(300*time.Millisecond), &shop.TrackOrderRequest{Id: order}))
	fails(codes.DeadlineExceeded, errorOf(collect(track)))
	fails(codes.DeadlineExceeded, errorOf(s.quote(within(time.Microsecond), "p-1", 1)))
	isTrue(time.Since(started) < 10*time.Second, "%v", time.Since(started))
	// Nothing is wrong with the connection.
	equal(must(s.product(id)).Id, id)
}

func cancelCalls(s *Shop) {
	bob := s.bob.talk(ctx, join("cancel"))
	hear(bob)
	cancelled, cancel := withCancel()
	eve := s.eve.talk(cancelled, join("cancel"))
	equal(hear(bob), "eve joined, 2 are here")
	hear(eve)
	cancel()
	fails(codes.Canceled, errorOf(eve.Recv()))
	equal(hear(bob), "eve left, 1 are here")
	leave(bob)

	cancelled, cancel = withCancel()
	every := must(s.eve.products.StreamProducts(cancelled, &shop.StreamProductsRequest{}))
	must(every.Recv())
	cancel()
	fails(codes.Canceled, errorOf(collect(every)))
	cancelled, cancel = withCancel()
	time.AfterFunc(100*time.Millisecond, cancel)
	fails(codes.Canceled, errorOf(s.quote(cancelled, "p-1", 1)))
	equal(must(s.product("p-1")).Id, "p-1")
}

func metadataOfCalls(s *Shop) {
	var header metadata.MD
	request := &shop.GetProductRequest{Id: "p-1"}
	own := metadata.AppendToOutgoingContext(ctx, "x-request-id", "tern-42")
	must(s.nobody.products.GetProduct(own, request, grpc.Header(&header)))
	equal(header.Get("x-request-id"), []string{"tern-42"})
	must(s.nobody.products.GetProduct(ctx, request, grpc.Header(&header)))
	isTrue(header.Get("x-request-id")[0] != "", "%v", header)
	for _, path := range []string{"/shop.v1.ProductService/Nothing", "/shop.v1.Nothing/GetProduct"} {
		fails(codes.Unimplemented, s.ann.plain.Invoke(ctx, path, &emptypb.Empty{}, &emptypb.Empty{}))
	}
}

func gzipCalls(s *Shop) {
	request := &shop.ListProductsRequest{PageSize: 200}
	plain := must(s.nobody.products.ListProducts(ctx, request))
	equal(must(s.nobody.products.ListProducts(ctx, request, grpc.UseCompressor(gzip.Name))), plain)
}

func largeCalls(s *Shop) {
	// More than the 4 MiB that servers of gRPC take by default.
	fails(codes.ResourceExhausted, errorOf(s.bob.upload(5*mib, make([]byte, 5*mib), header("large"))))
	equal(must(s.product("p-1")).Id, "p-1")
}

var services = []string{
	"shop.v1.ChatService", "shop.v1.OrderService", "shop.v1.PriceService", "shop.v1.ProductService", "shop.v1.UploadService",
}

func health(s *Shop) {
	client := healthpb.NewHealthClient(s.nobody.conn)
	for _, service := range append([]string{""}, services...) {
		request := &healthpb.HealthCheckRequest{Service: service}
		// After a start it may not be known yet.
		watched, stop := withCancel()
		states := must(client.Watch(watched, request))
		for must(states.Recv()).Status != healthpb.HealthCheckResponse_SERVING {
		}
		stop()
		equal(must(client.Check(ctx, request)).Status, healthpb.HealthCheckResponse_SERVING)
	}
	fails(codes.NotFound, errorOf(client.Check(ctx, &healthpb.HealthCheckRequest{Service: "nothing"})))
	isTrue(len(must(client.List(ctx, &healthpb.HealthListRequest{})).Statuses) >= 6, "too few states")
}

// The services that the shop lists, and all files that they are in, which have to fit together.
func reflected(s *Shop) ([]string, *protoregistry.Files) {
	asked, stop := withCancel()
	defer stop()
	stream := must(reflectionpb.NewServerReflectionClient(s.nobody.conn).ServerReflectionInfo(asked))
	ask := func(request *reflectionpb.ServerReflectionRequest) *reflectionpb.ServerReflectionResponse {
		equal(stream.Send(request), nil)
		return must(stream.Recv())
	}
	list := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	var names []string
	set := &descriptorpb.FileDescriptorSet{}
	for _, service := range list.GetListServicesResponse().Service {
		names = append(names, service.Name)
		symbol := &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service.Name}
		answer := ask(&reflectionpb.ServerReflectionRequest{MessageRequest: symbol})
		for _, bytes := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
			file := &descriptorpb.FileDescriptorProto{}
			equal(proto.Unmarshal(bytes, file), nil)
			isKnown := func(known *descriptorpb.FileDescriptorProto) bool { return known.GetName() == file.GetName() }
			if !slices.ContainsFunc(set.File, isKnown) {
				set.File = append(set.File, file)
			}
		}
	}
	return names, must(protodesc.NewFiles(set))
}

func schema(s *Shop) {
	names, files := reflected(s)
	isOurs := func(name string) bool { return !strings.HasPrefix(name, "shop.") }
	equal(slices.DeleteFunc(names, isOurs), services)
	product := must(files.FindDescriptorByName("shop.v1.Product")).(protoreflect.MessageDescriptor)
	equal(product.Fields().ByName("warranty").Message().FullName(), "google.protobuf.Duration")
}

// The paths of all methods that the shop has, by reflection.
func methods(s *Shop) (found []string) {
	names, files := reflected(s)
	for _, name := range names {
		methods := must(files.FindDescriptorByName(protoreflect.FullName(name))).(protoreflect.ServiceDescriptor).Methods()
		for at := range methods.Len() {
			found = append(found, fmt.Sprintf("/%s/%s", name, methods.Get(at).Name()))
		}
	}
	return found
}

// Calls that would go on for ever are told that the shop closes; those that end by themselves do.
func ends(s *Shop) {
	id := s.create("ENDS", 5, euro(10, 0))
	order := must(s.bob.order("ends", line(id, 1))).Id
	watch := must(s.bob.products.WatchProducts(ctx, &shop.WatchProductsRequest{}))
	must(watch.Header())
	track := must(s.bob.orders.TrackOrder(ctx, &shop.TrackOrderRequest{Id: order}))
	must(track.Recv())
	member := s.eve.talk(ctx, join("ends"))
	hear(member)
	quotes := make(chan *shop.Quote)
	go func() { quotes <- must(s.quote(ctx, "p-1", 1)) }()
	// The quote is being worked on once a later call on its connection is answered.
	time.Sleep(200 * time.Millisecond)
	must(s.product(id))
	fmt.Println("watching")
	for _, err := range []error{errorOf(watch.Recv()), errorOf(track.Recv()), errorOf(member.Recv())} {
		ended := fails(codes.Unavailable, err)
		equal(reason(ended), "UNAVAILABLE")
		equal(detail[*errdetails.RetryInfo](ended).RetryDelay.AsDuration(), time.Second)
	}
	isTrue(!(<-quotes).Degraded, "the quote is degraded")
}

// Leaves a product, an order and a file, and tells their ids.
func keep(s *Shop) []string {
	id := s.create("KEPT", 5, euro(10, 0))
	order := must(s.bob.order("kept", line(id, 2)))
	return []string{id, order.Id, must(s.bob.upload(50_000, pattern(100_000), header("kept"))).Id}
}

// Finds what was left, and gets the same order for the same key.
func kept(s *Shop, product, order, file string) {
	equal(must(s.product(product)).Sku, "KEPT")
	equal(s.stock(product), [2]uint32{3, 2})
	equal(must(s.bob.order("kept", line(product, 2))), must(s.bob.get(order)))
	found, content, err := s.bob.download(file, 0, 0)
	equal(err, nil)
	isTrue(found.Name == "kept" && slices.Equal(content, pattern(100_000)), "other bytes")
}
