//! One conversation, cut in two at every place there is.

use dunlin_http2::{Config, Role};
use dunlin_testkit::http2::{Block, Frame, PREFACE, bytes, code, setting};

use crate::harness::{App, Bench, Seen, get, get_block, ok, post};

/// Every kind of frame that a server takes.
fn conversation() -> Vec<u8> {
    let more = Block::of(&[("x", "y"), ("z", "")]);
    let frames = [
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 5), (0xff, 0)]),
        Frame::settings_ack(),
        post(1).padded(3).prioritized(0, 5).unfinished(),
        Frame::continuation(1, "").unfinished(),
        Frame::continuation(1, &more),
        Frame::data(1, "some content").padded(4),
        Frame::window_update(1, 100),
        Frame::priority(3, 1, 7),
        Frame::data(1, ""),
        Frame::data(1, "and more"),
        Frame::headers(1, more).end_stream(),
        Frame::new(0x16, 0xff, 0x8000_0001, "unknown"),
        Frame::ping(*b"01234567"),
        Frame::headers(3, get_block().incremental("x-test", "ok")),
        Frame::data(3, "gone"),
        Frame::rst_stream(3, code::CANCEL),
        Frame::window_update(0, 1),
        get(5),
        Frame::goaway(0, code::NO_ERROR),
    ];
    [&PREFACE[..], &bytes(&frames)].concat()
}

fn heard(role: Role, pieces: &[&[u8]]) -> (Vec<Seen>, Vec<Frame>) {
    let mut bench = Bench::new(role, Config::default(), App::Answers);
    if role == Role::Client {
        bench.get();
        bench.open("POST", false);
    }
    pieces.iter().for_each(|piece| bench.feed(piece).expect("a valid conversation"));
    (bench.events(), bench.output())
}

fn check(role: Role, octets: &[u8]) {
    let (events, frames) = heard(role, &[octets]);
    assert!(events.len() >= 8 && frames.len() > 4, "{events:?} {frames:?}");
    for at in 0..=octets.len() {
        let (front, back) = octets.split_at(at);
        let found = heard(role, &[front, back]);
        assert_eq!(found.0, events, "cut at {at}");
        // Frames may go out sooner, and content in other portions; their order by stream is tested
        // elsewhere.
        assert_eq!(found.1.len(), frames.len(), "cut at {at}: {:?}", found.1);
    }
    let each: Vec<&[u8]> = octets.chunks(1).collect();
    assert_eq!(heard(role, &each).0, events);
}

#[test]
fn a_server_understands_a_conversation_that_is_cut_anywhere() {
    check(Role::Server, &conversation());
}

#[test]
fn a_client_understands_a_conversation_that_is_cut_anywhere() {
    let frames = [
        Frame::settings(&[(setting::MAX_CONCURRENT_STREAMS, 9)]),
        Frame::settings_ack(),
        Frame::headers(1, Block::of(&[(":status", "103"), ("x", "y")])),
        ok(1).padded(2),
        Frame::data(1, "content").padded(9),
        Frame::ping(*b"01234567"),
        Frame::headers(1, Block::of(&[("x", "y")])).end_stream().unfinished(),
        Frame::continuation(1, Block::of(&[("z", "y")])),
        Frame::ping_ack(*b"76543210"),
        Frame::rst_stream(3, code::CANCEL),
        Frame::window_update(0, 5),
        Frame::goaway(3, code::NO_ERROR),
    ];
    check(Role::Client, &bytes(&frames));
}
