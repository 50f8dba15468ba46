"""Rooms."""

import queue

from shop.v1.chat_service_pb2 import ChatRequest

from check import case, equal, fails, refused
from clients import Client


class Member:
    """Somebody who talks."""

    def __init__(self, client, **first):
        self.words = queue.SimpleQueue()
        self.events = client.chat.Chat(iter(self.words.get, None))
        if first:
            self.words.put(ChatRequest(**first))

    def say(self, text):
        self.words.put(ChatRequest(say=ChatRequest.Say(text=text)))

    def leave(self):
        self.words.put(None)

    def hear(self):
        event = next(self.events)
        assert event.time.ToSeconds() > 0
        match event.WhichOneof("event"):
            case "joined":
                return f"{event.joined.name} joined, {event.joined.members} are here"
            case "said":
                return f"{event.said.name}: {event.said.text}"
            case "left":
                return f"{event.left.name} left, {event.left.members} are here"


def join(room):
    return {"join": ChatRequest.Join(room=room)}


@case("chat/room")
def room(shop):
    members = {}
    for number, name in enumerate(["ann", "bob", "eve"], 1):
        members[name] = Member(getattr(shop, name), **join("tea"))
        for member in members.values():
            equal(member.hear(), f"{name} joined, {number} are here")
    elsewhere = Member(shop.bob, **join("coffee"))
    equal(elsewhere.hear(), "bob joined, 1 are here")
    for name, text in [("ann", "good morning"), ("eve", "καλημέρα"), ("bob", "x" * 2000)]:
        members[name].say(text)
        equal([member.hear() for member in members.values()], [f"{name}: {text}"] * 3)
    members["bob"].leave()
    equal(list(members["bob"].events), [])
    equal([members[name].hear() for name in ["ann", "eve"]], ["bob left, 2 are here"] * 2)
    members["eve"].leave()
    equal(members["ann"].hear(), "eve left, 1 are here")
    for member in [members["ann"], elsewhere]:
        member.leave()
        equal(list(member.events), [])


@case("chat/refused")
def refuses(shop):
    for first, field in [
        (join("no spaces"), "join.room"),
        ({"say": ChatRequest.Say(text="hello")}, "action"),
        ({"say": None}, "action"),
    ]:
        refused([field], Member(shop.bob, **first).hear)
    member = Member(shop.bob, **join("tea"))
    member.hear()
    member.say("x" * 2001)
    refused(["say.text"], member.hear)
    # Nobody has said anything.
    silent = Member(shop.bob)
    silent.leave()
    refused(["action"], silent.hear)
    # What is said right before the end is heard.
    last = Member(shop.bob, **join("last"))
    last.say("good night")
    last.leave()
    equal(len(list(last.events)), 2)


@case("chat/slow")
def slow(shop):
    ann = Member(shop.ann, **join("slow"))
    ann.hear()
    # Windows that do not grow.
    small = Client(shop.connect(("grpc.http2.bdp_probe", 0)), "eve-token")
    eve = Member(small, **join("slow"))
    equal(ann.hear(), "eve joined, 2 are here")
    # Eve does not read: buffers and windows take some of it, and then her queue is full.
    said = 0
    while said < 50_000:
        ann.say("x" * 2000)
        said += 1
        if ann.hear() == "eve left, 1 are here":
            break
    else:
        raise AssertionError("nobody notices how slow eve is")
    heard = []
    failed = fails("RESOURCE_EXHAUSTED", lambda: [heard.append(event) for event in eve.events])
    missed = int(failed.details["ErrorInfo"].metadata["missed"])
    equal((failed.reason, failed.message.split(" ")[0]), ("TOO_SLOW", str(missed)))
    # Her own coming is among what she has heard.
    assert 0 < missed and len(heard) - 1 + missed <= said, f"{len(heard)} heard and {missed} missed of {said}"
    ann.leave()
