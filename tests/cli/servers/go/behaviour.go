package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// fields are those of a message, by their names.
type fields struct{ *dynamicpb.Message }

func (f fields) field(name string) protoreflect.FieldDescriptor {
	field := f.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		panic(fmt.Sprintf("%s has no %s", f.Descriptor().FullName(), name))
	}
	return field
}

func (f fields) get(name string) protoreflect.Value { return f.Get(f.field(name)) }

func (f fields) set(name string, value any) { f.Set(f.field(name), protoreflect.ValueOf(value)) }

func (f fields) code() codes.Code { return codes.Code(uint32(f.get("code").Int())) }

// duration of a field that is a google.protobuf.Duration.
func (f fields) duration(name string) time.Duration {
	value := f.get(name).Message()
	part := func(name protoreflect.Name) int64 { return value.Get(value.Descriptor().Fields().ByName(name)).Int() }
	return time.Duration(part("seconds"))*time.Second + time.Duration(part("nanos"))
}

var unaries = map[string]func(context.Context, fields, fields) (any, error){
	"Echo":    func(_ context.Context, request, _ fields) (any, error) { return request.Message, nil },
	"Ponder":  func(_ context.Context, request, _ fields) (any, error) { return request.Message, nil },
	"Fail":    fail,
	"Sleep":   sleep,
	"Inspect": inspect,
	"Lay":     lay,
}

func fail(_ context.Context, request, response fields) (any, error) {
	if request.code() == codes.OK {
		return response.Message, nil
	}
	answer := &spb.Status{Code: int32(request.code()), Message: request.get("message").String()}
	details := request.get("details").List()
	for i := range details.Len() {
		detail := &anypb.Any{}
		if err := proto.Unmarshal(details.Get(i).Bytes(), detail); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "details[%d]: %v", i, err)
		}
		answer.Details = append(answer.Details, detail)
	}
	return nil, status.ErrorProto(answer)
}

func sleep(ctx context.Context, request, response fields) (any, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(request.duration("time")):
		response.set("time", request.get("time").Message())
		return response.Message, nil
	}
}

func inspect(ctx context.Context, request, response fields) (any, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	told := response.Mutable(response.field("metadata")).Map()
	names := request.get("names").List()
	for i := range names.Len() {
		name := names.Get(i).String()
		found, ok := sent[name]
		if !ok {
			continue
		}
		values := told.NewValue()
		list := fields{values.Message().Interface().(*dynamicpb.Message)}
		for _, value := range found {
			list.Mutable(list.field("values")).List().Append(protoreflect.ValueOfString(fmt.Sprintf("%q", value)))
		}
		told.Set(protoreflect.ValueOfString(name).MapKey(), values)
	}
	response.set("authority", strings.Join(sent[":authority"], " "))
	if from, ok := peer.FromContext(ctx); ok {
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok {
			told := info.State
			response.set("server_name", told.ServerName)
			response.set("client", clientName(told))
		}
	}
	if encoding := ctx.Value(encodingKey{}); encoding != nil {
		response.set("encoding", encoding.(*atomic.Value).Load())
	}
	_, hasDeadline := ctx.Deadline()
	response.set("has_deadline", hasDeadline)

	pairs := func(name string) metadata.MD {
		made := metadata.MD{}
		request.get(name).Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			made.Append(key.String(), value.String())
			return true
		})
		return made
	}
	headers := pairs("headers")
	if octets := request.get("binary").Bytes(); len(octets) > 0 {
		headers.Append("x-binary-bin", string(octets))
	}
	if err := grpc.SetHeader(ctx, headers); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, pairs("trailers")); err != nil {
		return nil, err
	}
	return response.Message, nil
}

func clientName(state tls.ConnectionState) string {
	if len(state.PeerCertificates) == 0 {
		return ""
	}
	return state.PeerCertificates[0].Subject.CommonName
}

func lay(ctx context.Context, request, response fields) (any, error) {
	size := request.get("size").Int()
	if size < 0 || size > 64<<20 {
		return nil, status.Errorf(codes.InvalidArgument, "size: %d is not among 0 to 64 MiB", size)
	}
	if request.get("compress").Bool() {
		if err := grpc.SetSendCompressor(ctx, "gzip"); err != nil {
			return nil, err
		}
	}
	shell := make([]byte, size)
	for i := range shell {
		shell[i] = byte(i)
	}
	response.set("shell", shell)
	return response.Message, nil
}

// messages of a stream, by the types of its method.
type messages struct {
	grpc.ServerStream
	method protoreflect.MethodDescriptor
}

// next is nil at the end.
func (m messages) next() (*fields, error) {
	request := dynamicpb.NewMessage(m.method.Input())
	if err := m.RecvMsg(request); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &fields{request}, nil
}

func (m messages) response() fields { return fields{dynamicpb.NewMessage(m.method.Output())} }

var streams = map[string]func(messages) error{
	"Flock":  flock,
	"Count":  count,
	"Sing":   sing,
	"Stream": stream,
}

func flock(m messages) error {
	request, err := m.next()
	if err != nil || request == nil {
		return err
	}
	for i := range request.get("count").Int() {
		if i > 0 {
			time.Sleep(request.duration("pause"))
		}
		bird := m.response()
		bird.set("name", fmt.Sprintf("bird %d", i+1))
		bird.set("large", i+1)
		if err := m.SendMsg(bird.Message); err != nil {
			return err
		}
	}
	if request.code() == codes.OK {
		return nil
	}
	return status.Error(request.code(), request.get("message").String())
}

func count(m messages) error {
	response := m.response()
	names := response.Mutable(response.field("names")).List()
	for {
		bird, err := m.next()
		if err != nil {
			return err
		}
		if bird == nil {
			response.set("count", int32(names.Len()))
			return m.SendMsg(response.Message)
		}
		names.Append(bird.get("name"))
	}
}

func sing(m messages) error {
	for {
		song, err := m.next()
		if err != nil || song == nil {
			return err
		}
		if song.code() != codes.OK {
			return status.Error(song.code(), song.get("text").String())
		}
		song.set("text", strings.ToUpper(song.get("text").String()))
		if err := m.SendMsg(song.Message); err != nil {
			return err
		}
	}
}

// stream sends as many twigs as the request has.
func stream(m messages) error {
	request, err := m.next()
	if err != nil || request == nil {
		return err
	}
	twigs := request.get("twigs").List()
	for i := range twigs.Len() {
		if err := m.SendMsg(twigs.Get(i).Message().Interface()); err != nil {
			return err
		}
	}
	return nil
}

// The service "changing" goes from one state to the other, over and over.
func registerHealth(server *grpc.Server) {
	states := health.NewServer()
	states.SetServingStatus("aviary.v1.AviaryService", healthpb.HealthCheckResponse_SERVING)
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

// encodings remembers with each call what its request was compressed with, which handlers are not told.
type encodings struct{}

type encodingKey struct{}

func (encodings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, encodingKey{}, &atomic.Value{})
}

func (encodings) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if header, ok := event.(*stats.InHeader); ok {
		ctx.Value(encodingKey{}).(*atomic.Value).Store(header.Compression)
	}
}

func (encodings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (encodings) HandleConn(context.Context, stats.ConnStats) {}
