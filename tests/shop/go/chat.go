package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	shop "shop-clients/gen/shop/v1"
)

type chat = shop.ChatService_ChatClient

func withCancel() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }

// Somebody who has said this first, if anything.
func (c *Client) talk(ctx context.Context, first *shop.ChatRequest) chat {
	stream := must(c.chat.Chat(ctx))
	if first != nil {
		equal(stream.Send(first), nil)
	}
	return stream
}

func join(room string) *shop.ChatRequest {
	return &shop.ChatRequest{Action: &shop.ChatRequest_Join_{Join: &shop.ChatRequest_Join{Room: room}}}
}

func say(text string) *shop.ChatRequest {
	return &shop.ChatRequest{Action: &shop.ChatRequest_Say_{Say: &shop.ChatRequest_Say{Text: text}}}
}

func hear(member chat) string {
	event := must(member.Recv())
	isTrue(event.Time.Seconds > 0, "%v", event)
	switch found := event.Event.(type) {
	case *shop.ChatResponse_Joined_:
		return fmt.Sprintf("%s joined, %d are here", found.Joined.Name, found.Joined.Members)
	case *shop.ChatResponse_Said_:
		return found.Said.Name + ": " + found.Said.Text
	default:
		return fmt.Sprintf("%s left, %d are here", event.GetLeft().GetName(), event.GetLeft().GetMembers())
	}
}

func leave(member chat) {
	equal(member.CloseSend(), nil)
	equal(errorOf(member.Recv()), io.EOF)
}

func chatInRoom(s *Shop) {
	var members []chat
	all := func(wanted string) {
		for _, member := range members {
			equal(hear(member), wanted)
		}
	}
	for number, client := range []*Client{s.ann, s.bob, s.eve} {
		members = append(members, client.talk(ctx, join("tea")))
		all(fmt.Sprintf("%s joined, %d are here", []string{"ann", "bob", "eve"}[number], number+1))
	}
	elsewhere := s.bob.talk(ctx, join("coffee"))
	equal(hear(elsewhere), "bob joined, 1 are here")
	for number, text := range []string{"good morning", strings.Repeat("x", 2000), "καλημέρα"} {
		equal(members[number].Send(say(text)), nil)
		all([]string{"ann", "bob", "eve"}[number] + ": " + text)
	}
	leave(members[1])
	members = []chat{members[0], members[2]}
	all("bob left, 2 are here")
	leave(members[1])
	members = members[:1]
	all("eve left, 1 are here")
	leave(members[0])
	leave(elsewhere)
}

func refuseChat(s *Shop) {
	for field, first := range map[string][]*shop.ChatRequest{
		"join.room": {join("no spaces")}, "action": {say("hello"), {}},
	} {
		for _, first := range first {
			refused(errorOf(s.bob.talk(ctx, first).Recv()), field)
		}
	}
	member := s.bob.talk(ctx, join("tea"))
	hear(member)
	equal(member.Send(say(strings.Repeat("x", 2001))), nil)
	refused(errorOf(member.Recv()), "say.text")
	// Nobody has said anything.
	silent := s.bob.talk(ctx, nil)
	equal(silent.CloseSend(), nil)
	refused(errorOf(silent.Recv()), "action")
	// What is said right before the end is heard.
	last := s.bob.talk(ctx, join("last"))
	equal(last.Send(say("good night")), nil)
	equal(last.CloseSend(), nil)
	equal(len(must(collect(last))), 2)
}

func slowChat(s *Shop) {
	ann := s.ann.talk(ctx, join("slow"))
	hear(ann)
	eve := s.eve.talk(ctx, join("slow"))
	equal(hear(ann), "eve joined, 2 are here")
	// Eve does not read: buffers and windows take some of it, and then her queue is full.
	said := 0
	for isThere := true; isThere; isThere = hear(ann) != "eve left, 1 are here" {
		equal(ann.Send(say(strings.Repeat("x", 2000))), nil)
		said++
		isTrue(said < 50_000, "nobody notices how slow Eve is")
	}
	heard, err := collect(eve)
	ended := fails(codes.ResourceExhausted, err)
	equal(reason(ended), "TOO_SLOW")
	missed := 0
	must(fmt.Sscan(detail[*errdetails.ErrorInfo](ended).Metadata["missed"], &missed))
	// Her own coming is among what she has heard.
	isTrue(missed > 0 && len(heard)-1+missed <= said, "%d heard and %d missed of %d", len(heard), missed, said)
	// What she said last may be heard behind Eve's leaving.
	equal(ann.CloseSend(), nil)
	must(collect(ann))
}
