package main

import (
	"fmt"
	"io"
	"reflect"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func isTrue(holds bool, what string, args ...any) {
	if !holds {
		panic(fmt.Sprintf(what, args...))
	}
}

func equal[T any](found, wanted T) {
	if message, is := any(found).(proto.Message); is {
		isTrue(proto.Equal(message, any(wanted).(proto.Message)), "\nfound  %v\nwanted %v", found, wanted)
		return
	}
	isTrue(reflect.DeepEqual(found, wanted), "\nfound  %#v\nwanted %#v", found, wanted)
}

// All that a stream still has, and how it ends.
func collect[T any](stream interface{ Recv() (*T, error) }) (found []*T, err error) {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		found = append(found, message)
	}
}

// How a call ended that has to have this code.
func fails(code codes.Code, err error) *status.Status {
	ended, _ := status.FromError(err)
	isTrue(err != nil && ended.Code() == code, "found %v, wanted %v", err, code)
	isTrue(ended.Message() != "", "an error without a message")
	return ended
}

// A detail of this type, which has to be there.
func detail[T proto.Message](ended *status.Status) T {
	for _, detail := range ended.Details() {
		if found, is := detail.(T); is {
			return found
		}
	}
	panic(fmt.Sprintf("no such detail: %v", ended.Proto()))
}

// A call that has to be refused for these fields.
func refused(err error, fields ...string) {
	var found []string
	for _, violation := range detail[*errdetails.BadRequest](fails(codes.InvalidArgument, err)).FieldViolations {
		found = append(found, violation.Field)
	}
	equal(found, fields)
}

func reason(ended *status.Status) string {
	info := detail[*errdetails.ErrorInfo](ended)
	equal(info.Domain, "shop.example")
	return info.Reason
}

func resource(ended *status.Status) string {
	info := detail[*errdetails.ResourceInfo](ended)
	return info.ResourceType + " " + info.ResourceName
}

func preconditions(ended *status.Status) (found []string) {
	for _, violation := range detail[*errdetails.PreconditionFailure](ended).Violations {
		found = append(found, violation.Type+" "+violation.Subject)
	}
	return found
}

// The error of a call whose answer does not matter.
func errorOf[T any](_ T, err error) error { return err }
