// The aviary on grpc-go: go-server SCHEMA [CERTIFICATES].
//
// SCHEMA is a descriptor set: messages are known only at run time, and reflection tells all of the schema, with its
// comments. CERTIFICATES is a folder with ca.pem, server.pem and server.key. Says its addresses, one for each way to
// be reached, and serves until it is ended.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// How a server is asked for its schema.
type asked int

const (
	byBoth asked = iota
	byV1Alpha
	byNothing
	// v1 is refused, as a proxy does that knows only v1alpha.
	byRefusal
	// Only with a header.
	byHeader
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: go-server SCHEMA [CERTIFICATES]")
	}
	files := schema(os.Args[1])
	listen := func(name, network, address string, how asked, options ...grpc.ServerOption) string {
		listener, err := net.Listen(network, address)
		if err != nil {
			log.Fatal(err)
		}
		server := newServer(files, how, options...)
		go func() { log.Fatal(server.Serve(listener)) }()
		return name + "=" + listener.Addr().String()
	}
	said := []string{
		listen("plain", "tcp", "127.0.0.1:0", byBoth),
		listen("alpha", "tcp", "127.0.0.1:0", byV1Alpha),
		listen("bare", "tcp", "127.0.0.1:0", byNothing),
		listen("refusing", "tcp", "127.0.0.1:0", byRefusal),
		listen("guarded", "tcp", "127.0.0.1:0", byHeader),
	}
	if len(os.Args) > 2 {
		folder := os.Args[2]
		said = append(said,
			listen("unix", "unix", filepath.Join(folder, "go.sock"), byBoth),
			listen("tls", "tcp", "127.0.0.1:0", byBoth, security(folder, tls.NoClientCert)),
			listen("mtls", "tcp", "127.0.0.1:0", byBoth, security(folder, tls.RequireAndVerifyClientCert)))
	}
	fmt.Printf("listening on %s\n", strings.Join(said, " and "))
	select {}
}

func schema(path string) *protoregistry.Files {
	octets, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(octets, set); err != nil {
		log.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		log.Fatal(err)
	}
	return files
}

func security(folder string, auth tls.ClientAuthType) grpc.ServerOption {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "server.pem"), filepath.Join(folder, "server.key"))
	if err != nil {
		log.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    pool,
		ClientAuth:   auth,
	}))
}

func newServer(files *protoregistry.Files, how asked, options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(options, grpc.StreamInterceptor(reflectionGuard(how)), grpc.StatsHandler(encodings{}))...)
	for _, name := range []protoreflect.FullName{
		"aviary.v1.AviaryService", "aviary.v1.CageService", "aviary.v1.PerchService", "aviary.plain.v1.TwigService",
	} {
		found, err := files.FindDescriptorByName(name)
		if err != nil {
			log.Fatal(err)
		}
		register(server, found.(protoreflect.ServiceDescriptor))
	}
	registerHealth(server)
	asked := reflection.ServerOptions{Services: server, DescriptorResolver: withBuiltin{files}, ExtensionResolver: extensions(files)}
	if how != byV1Alpha && how != byNothing {
		v1.RegisterServerReflectionServer(server, reflection.NewServerV1(asked))
	}
	if how != byNothing {
		v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(asked))
	}
	return server
}

// What the schema does not have is that of the built-in services.
type withBuiltin struct{ *protoregistry.Files }

func (all withBuiltin) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if file, err := all.Files.FindFileByPath(path); err == nil {
		return file, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

func (all withBuiltin) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if found, err := all.Files.FindDescriptorByName(name); err == nil {
		return found, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

func extensions(files *protoregistry.Files) *protoregistry.Types {
	types := &protoregistry.Types{}
	add := func(found protoreflect.ExtensionDescriptors) {
		for i := range found.Len() {
			if err := types.RegisterExtension(dynamicpb.NewExtensionType(found.Get(i))); err != nil {
				log.Fatal(err)
			}
		}
	}
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		add(file.Extensions())
		for i := range file.Messages().Len() {
			add(file.Messages().Get(i).Extensions())
		}
		return true
	})
	return types
}

func reflectionGuard(how asked) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		if how == byRefusal && strings.HasPrefix(info.FullMethod, "/grpc.reflection.v1.") {
			return status.Error(codes.Unauthenticated, "no token for this path")
		}
		if how == byHeader && strings.HasPrefix(info.FullMethod, "/grpc.reflection.") {
			if found := metadata.ValueFromIncomingContext(stream.Context(), "x-reflect"); len(found) != 1 || found[0] != "yes" {
				return status.Error(codes.PermissionDenied, "reflection needs x-reflect: yes")
			}
		}
		return next(server, stream)
	}
}

// register serves all methods of a service, with messages that are known only now.
func register(server *grpc.Server, service protoreflect.ServiceDescriptor) {
	description := &grpc.ServiceDesc{
		ServiceName: string(service.FullName()),
		HandlerType: (*any)(nil),
		Metadata:    service.ParentFile().Path(),
	}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		name := string(method.Name())
		if unary, ok := unaries[name]; ok && !method.IsStreamingServer() && !method.IsStreamingClient() {
			handler := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				request, response := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
				if err := decode(request); err != nil {
					return nil, err
				}
				return unary(ctx, fields{request}, fields{response})
			}
			description.Methods = append(description.Methods, grpc.MethodDesc{MethodName: name, Handler: handler})
			continue
		}
		stream, ok := streams[name]
		if !ok {
			log.Fatalf("nothing serves %s", method.FullName())
		}
		description.Streams = append(description.Streams, grpc.StreamDesc{
			StreamName:    name,
			ServerStreams: method.IsStreamingServer(),
			ClientStreams: method.IsStreamingClient(),
			Handler: func(_ any, s grpc.ServerStream) error {
				return stream(messages{s, method})
			},
		})
	}
	server.RegisterService(description, struct{}{})
}
