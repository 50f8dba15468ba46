//! h2spec's generic suite: what every server has to take.

use dunlin_http2::{Config, Role};
use dunlin_testkit::http2::{Block, Frame, PREFACE, code, setting};

use crate::harness::{App, Bench, get, get_block, post, response};
use crate::{check, ping, pong};

use App::Answers;

// generic 1/1
#[test]
fn a_preface_is_answered_by_settings() {
    let mut bench = Bench::new(Role::Server, Config::default(), Answers);
    bench.feed(PREFACE).expect("the preface");
    let got = bench.send(&[Frame::settings(&[])]);
    let settings = [
        (setting::MAX_CONCURRENT_STREAMS, 256),
        (setting::INITIAL_WINDOW_SIZE, 256 << 10),
        (setting::MAX_HEADER_LIST_SIZE, 32 << 10),
    ];
    let window = (1 << 20) - 65_535; // what the connection has beyond its initial window
    assert_eq!(got, [Frame::settings(&settings), Frame::window_update(0, window), Frame::settings_ack()]);
}

// generic 2
#[test]
fn frames_that_a_state_permits_disturb_nothing() {
    let after = |more: Frame| [get(1), more].to_vec();
    check([
        ("2/1", Answers, vec![Frame::priority(1, 0, 255), get(1)], response(1)), // idle
        // On a half-closed (remote) stream: its end is in front.
        ("2/2", App::Silent, after(Frame::window_update(1, 100)), vec![]),
        ("2/3", App::Silent, after(Frame::priority(1, 0, 255)), vec![]),
        (
            "2/4",
            App::Silent,
            [after(Frame::rst_stream(1, code::CANCEL)), vec![ping()]].concat(),
            pong(), // RST_STREAM is never answered by RST_STREAM
        ),
        ("2/5", Answers, after(Frame::priority(1, 0, 255)), response(1)), // closed
    ]);
}

// generic 3
#[test]
fn every_type_of_frame_is_taken() {
    let a_post = |frames: &[Frame]| [&[post(1)], frames].concat();
    let priority = |dependency| vec![Frame::priority(1, dependency, 255), get(1)];
    check([
        ("3.1/1", Answers, a_post(&[Frame::data(1, "test").end_stream()]), response(1)),
        (
            "3.1/2",
            Answers,
            a_post(&[Frame::data(1, "test"), Frame::data(1, "test").end_stream()]),
            response(1),
        ),
        ("3.1/3", Answers, a_post(&[Frame::data(1, "test").end_stream().padded(6)]), response(1)),
        ("3.2/1", Answers, vec![get(1)], response(1)),
        ("3.2/2", Answers, vec![get(1).padded(6)], response(1)),
        ("3.2/3", Answers, vec![get(1).prioritized(0, 255)], response(1)),
        ("3.3/1", Answers, vec![Frame::priority(1, 0, 0), get(1)], response(1)), // weight 1 is sent as 0
        ("3.3/2", Answers, priority(0), response(1)),                            // weight 256 as 255
        ("3.3/3", Answers, vec![Frame::priority(3, 1, 255), get(3)], response(3)),
        ("3.3/4", Answers, vec![Frame::priority(3, 0x8000_0001, 255), get(3)], response(3)), // exclusive
        // PRIORITY opens nothing, so lower identifiers are still idle.
        ("3.3/5", Answers, vec![Frame::priority(5, 0, 255), get(3)], response(3)),
        ("3.4/1", Answers, a_post(&[Frame::rst_stream(1, code::CANCEL), ping()]), pong()),
        (
            "3.5/1",
            Answers,
            vec![Frame::settings(&[(setting::MAX_CONCURRENT_STREAMS, 100)])],
            vec![Frame::settings_ack()],
        ),
        ("3.7/1", Answers, vec![ping()], pong()),
        // Without streams, the client's end is the end.
        ("3.8/1", Answers, vec![Frame::goaway(0, code::NO_ERROR), ping()], vec![Frame::goaway(0, 0)]),
        ("3.9/1", Answers, vec![Frame::window_update(0, 1), get(1)], response(1)),
        ("3.9/2", App::Silent, vec![get(1), Frame::window_update(1, 1), ping()], pong()),
        (
            "3.10/1",
            Answers,
            vec![get(1).unfinished(), Frame::continuation(1, Block::of(&[("x", "y")]))],
            response(1),
        ),
        (
            "3.10/2",
            Answers,
            vec![
                get(1).unfinished(),
                Frame::continuation(1, Block::of(&[("x", "y")])).unfinished(),
                Frame::continuation(1, Block::of(&[("x", "z")])),
            ],
            response(1),
        ),
    ]);
}

// generic 4
#[test]
fn requests_are_answered() {
    let head = Block::of(&[(":method", "HEAD"), (":scheme", "http"), (":path", "/"), (":authority", "a")]);
    let trailers = Frame::headers(1, Block::of(&[("x-test", "ok")])).end_stream();
    check([
        ("4/1", Answers, vec![get(1)], response(1)),
        ("4/2", Answers, vec![Frame::headers(1, head).end_stream()], response(1)),
        ("4/3", Answers, vec![post(1), Frame::data(1, "test").end_stream()], response(1)),
        ("4/4", Answers, vec![post(1), Frame::data(1, "test"), trailers], response(1)),
    ]);
}

/// `user-agent` in the static table.
const USER_AGENT: usize = 58;
/// `no-cache`, `custom-key` and `custom-value` in Huffman codes (RFC 7541 C.4).
const NO_CACHE: [u8; 6] = [0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
const CUSTOM_KEY: [u8; 8] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f];
const CUSTOM_VALUE: [u8; 9] = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];

// generic 5
#[test]
fn every_representation_of_a_field_is_taken() {
    let indexed = |first, bits| Block::new().integer(first, bits, USER_AGENT);
    let new = |first| Block::new().raw([first]);
    for (case, block) in [
        ("5/1", Block::new().indexed(16)), // accept-encoding: gzip, deflate
        ("5/2", indexed(0x40, 6).string("test")),
        ("5/3", indexed(0x40, 6).huffman(NO_CACHE)),
        ("5/4", new(0x40).string("x-test").string("test")),
        ("5/5", new(0x40).huffman(CUSTOM_KEY).huffman(CUSTOM_VALUE)),
        ("5/6", indexed(0x00, 4).string("test")),
        ("5/7", indexed(0x00, 4).huffman(NO_CACHE)),
        ("5/8", new(0x00).string("x-test").string("test")),
        ("5/9", new(0x00).huffman(CUSTOM_KEY).huffman(CUSTOM_VALUE)),
        ("5/10", indexed(0x10, 4).string("test")),
        ("5/11", indexed(0x10, 4).huffman(NO_CACHE)),
        ("5/12", new(0x10).string("x-test").string("test")),
        ("5/13", new(0x10).huffman(CUSTOM_KEY).huffman(CUSTOM_VALUE)),
    ] {
        check([(case, Answers, vec![Frame::headers(1, get_block().then(&block)).end_stream()], response(1))]);
    }
    // Updates stand in front of all fields.
    for (case, block) in
        [("5/14", Block::new().size_update(1)), ("5/15", Block::new().size_update(128).size_update(4096))]
    {
        check([(case, Answers, vec![Frame::headers(1, block.then(&get_block())).end_stream()], response(1))]);
    }
}
