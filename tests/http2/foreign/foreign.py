"""Python's h2, as server and as client, in clear text:

    foreign.py serve                          prints "listening on ADDR"
    foreign.py call URL REQUESTS CONCURRENCY BODY_BYTES

The server echoes bodies and trailers. The client checks that it gets back what it sent."""
import socket, sys, threading, urllib.parse

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (ConnectionTerminated, DataReceived, RequestReceived, StreamEnded, StreamReset,
                       TrailersReceived, WindowUpdated)

CHECKSUM = b"x-checksum"


class Side:
    """A connection, what waits on each stream for its window, and what comes behind it."""
    def __init__(self, sock, is_client):
        self.sock = sock
        self.h2 = H2Connection(H2Configuration(client_side=is_client, header_encoding=None))
        self.h2.initiate_connection()
        self.waiting = {}

    def queue(self, stream, data):
        self.waiting.setdefault(stream, [bytearray(), None])[0].extend(data)

    def finish(self, stream, trailers):
        self.waiting.setdefault(stream, [bytearray(), None])[1] = trailers

    def send(self):
        for stream, (data, trailers) in list(self.waiting.items()):
            while data:
                size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if size <= 0:
                    break
                self.h2.send_data(stream, bytes(data[:size]))
                del data[:size]
            if not data and trailers is not None:
                if trailers:
                    self.h2.send_headers(stream, trailers, end_stream=True)
                else:
                    self.h2.end_stream(stream)
                del self.waiting[stream]
        self.sock.sendall(self.h2.data_to_send())

    def events(self):
        data = self.sock.recv(1 << 16)
        return self.h2.receive_data(data) if data else None


def serve_one(sock):
    side, trailers = Side(sock, False), {}
    side.send()
    while (events := side.events()) is not None:
        for event in events:
            if isinstance(event, RequestReceived):
                side.h2.send_headers(event.stream_id, [(b":status", b"200")])
            elif isinstance(event, DataReceived):
                side.queue(event.stream_id, event.data)
                side.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                trailers[event.stream_id] = [field for field in event.headers if field[0] == CHECKSUM]
            elif isinstance(event, StreamEnded):
                side.finish(event.stream_id, trailers.pop(event.stream_id, []))
            elif isinstance(event, StreamReset):
                side.waiting.pop(event.stream_id, None)
        side.send()


def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
    while True:
        threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()


def call(url, requests, concurrency, size):
    url = urllib.parse.urlsplit(url)
    body = (b"abcdefg" * (size // 7 + 1))[:size]
    side = Side(socket.create_connection((url.hostname, url.port)), True)
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", url.netloc.encode()),
              (b":path", url.path.encode())]
    begun, good, bad, received, checked = 0, 0, 0, {}, set()
    while good + bad < requests:
        while begun < requests and len(received) < concurrency:
            stream = side.h2.get_next_available_stream_id()
            side.h2.send_headers(stream, fields)
            side.queue(stream, body)
            side.finish(stream, [(CHECKSUM, b"none")])
            received[stream] = bytearray()
            begun += 1
        side.send()
        for event in side.events() or [ConnectionTerminated()]:
            if isinstance(event, DataReceived):
                received[event.stream_id].extend(event.data)
                side.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived) and (CHECKSUM, b"none") in event.headers:
                checked.add(event.stream_id)
            elif isinstance(event, StreamEnded):
                is_good = received.pop(event.stream_id) == body and event.stream_id in checked
                good, bad = good + is_good, bad + (not is_good)
            elif isinstance(event, StreamReset):
                received.pop(event.stream_id, None)
                side.waiting.pop(event.stream_id, None)
                bad += 1
            elif isinstance(event, ConnectionTerminated):
                sys.exit(f"foreign: the connection ended after {good} good and {bad} bad answers")
    print(f"{good} succeeded, {bad} failed")
    sys.exit(bad > 0)


what, *arguments = sys.argv[1:]
if what == "serve":
    serve()
else:
    call(arguments[0], *map(int, arguments[1:]))
