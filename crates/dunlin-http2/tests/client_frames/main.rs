//! What a client does with the frames of servers that are hostile, or have faults.

mod connection;
#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod messages;
mod sending;
mod streams;

use dunlin_http2::{Config, HeadersKind, Malformed, ResetReason, StreamFault};
use dunlin_testkit::http2::{Block, Frame, kind};
use harness::{Bench, Seen};

/// Why the row is there, what the server sends, what has to come back, and what is told.
type Row = (&'static str, Vec<Frame>, Vec<Frame>, Vec<Seen>);

/// Every row on a connection of its own with a GET request on stream 1, twice: as one piece, and octet
/// by octet.
fn check(rows: impl IntoIterator<Item = Row>) {
    check_with("GET", rows);
}

/// The same with another method.
fn check_with(method: &str, rows: impl IntoIterator<Item = Row>) {
    for (why, send, want, events) in rows {
        for step in [usize::MAX, 1] {
            let mut bench = Bench::client(Config::default());
            bench.open(method, true);
            bench.output();
            assert_eq!(bench.send_in_steps(&send, step), want, "{why}, in pieces of {step} octets");
            assert_eq!(bench.events(), events, "{why}, in pieces of {step} octets");
            let is_over = want.iter().any(|frame| frame.kind == kind::GOAWAY);
            assert_eq!(bench.engine.is_closed(), is_over, "{why}: whether the connection is over");
        }
    }
}

/// An error of the connection. A server opens no streams, so none of its streams was the last.
fn goaway(code: u32) -> Vec<Frame> {
    vec![Frame::goaway(0, code)]
}

fn reset(stream: u32, code: u32) -> Vec<Frame> {
    vec![Frame::rst_stream(stream, code)]
}

fn ok() -> Frame {
    Frame::headers(1, [0x88])
}

fn status(status: &str) -> Frame {
    Frame::headers(1, Block::of(&[(":status", status)]))
}

fn head(kind: HeadersKind, end_stream: bool) -> Seen {
    Seen::Headers { stream: 1, kind, end_stream }
}

fn content(data: &str, end_stream: bool) -> Seen {
    Seen::Data { stream: 1, data: data.into(), end_stream }
}

fn malformed(fault: Malformed) -> Seen {
    Seen::Reset { stream: 1, reason: ResetReason::Local(StreamFault::Malformed(fault)) }
}

const PING: [u8; 8] = *b"01234567";

fn ping() -> Frame {
    Frame::ping(PING)
}

fn pong() -> Vec<Frame> {
    vec![Frame::ping_ack(PING)]
}
