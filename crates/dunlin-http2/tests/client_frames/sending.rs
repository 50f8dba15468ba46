//! What the settings and windows of a server allow us to send (RFC 9113 §5.1.2, §6.5, §6.9, §6.10).

use dunlin_http2::{Config, Field, HeaderListTooLarge, OpenError, SendError, StreamKey};
use dunlin_testkit::http2::{Frame, code, flag, kind, setting};

use crate::harness::{Bench, Seen, content_len, request_fields};
use crate::{goaway, ok};

fn settings(id: u16, value: u32) -> Frame {
    Frame::settings(&[(id, value)])
}

/// A client with a POST request that has begun, behind SETTINGS.
fn post(frames: &[Frame]) -> (Bench, StreamKey) {
    let mut bench = Bench::client(Config::default());
    bench.send(frames);
    let key = bench.open("POST", false);
    bench.output();
    bench.events();
    (bench, key)
}

fn data(bench: &mut Bench, key: StreamKey, len: usize) {
    bench.engine.send_data(key, vec![7; len].into(), false).expect("an open stream");
    bench.transmit().expect("no error");
}

#[test]
fn a_new_initial_window_moves_the_windows_of_open_streams() {
    let (mut bench, key) = post(&[settings(setting::INITIAL_WINDOW_SIZE, 10)]);
    data(&mut bench, key, 100);
    assert_eq!(content_len(&bench.output(), 1), 10);
    for (why, frame, sent) in [
        ("ten more", settings(setting::INITIAL_WINDOW_SIZE, 20), 10),
        ("twenty fewer, so it is -20", settings(setting::INITIAL_WINDOW_SIZE, 0), 0),
        ("up to -1", Frame::window_update(1, 19), 0),
        ("up to 0", Frame::window_update(1, 1), 0),
        ("up to 1", Frame::window_update(1, 1), 1),
        ("the rest", settings(setting::INITIAL_WINDOW_SIZE, 1000), 79),
    ] {
        let got = bench.send(&[frame]);
        assert_eq!(content_len(&got, 1), sent, "{why}: {got:?}");
    }
}

#[test]
fn a_new_initial_window_is_not_for_the_connection() {
    // §6.9.2: WINDOW_UPDATE alone changes that.
    let (mut bench, key) = post(&[settings(setting::INITIAL_WINDOW_SIZE, 1 << 20)]);
    data(&mut bench, key, 100_000);
    assert_eq!(content_len(&bench.output(), 1), 65_535);
    assert_eq!(content_len(&bench.send(&[settings(setting::INITIAL_WINDOW_SIZE, 2 << 20)]), 1), 0);
    assert_eq!(content_len(&bench.send(&[Frame::window_update(0, 5)]), 1), 5);
}

#[test]
fn settings_that_take_a_window_above_two_to_the_31_end_the_connection() {
    let (mut bench, _) = post(&[]);
    bench.send(&[Frame::window_update(1, 0x7fff_ffff - 65_535)]);
    let got = bench.send(&[settings(setting::INITIAL_WINDOW_SIZE, 65_536)]);
    assert_eq!(got, goaway(code::FLOW_CONTROL_ERROR));
}

#[test]
fn frames_are_not_larger_than_the_server_takes() {
    let (mut bench, key) = post(&[]);
    let sizes = |frames: Vec<Frame>| frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>();
    data(&mut bench, key, 16_385);
    assert_eq!(sizes(bench.output()), [16_384, 1]);
    bench.send(&[settings(setting::MAX_FRAME_SIZE, 20_000)]);
    data(&mut bench, key, 20_001);
    assert_eq!(sizes(bench.output()), [20_000, 1]);
}

#[test]
fn large_headers_go_on_in_continuation() {
    // §6.10. `~` is shorter than its Huffman code, so the sizes are known.
    let mut bench = Bench::client(Config::default());
    let value = "~".repeat(40_000);
    let fields = [&request_fields("GET")[..], &[Field::new("x", &value)]].concat();
    bench.engine.open(&fields[..], true).expect("nothing is in the way");
    bench.transmit().expect("no error");
    let frames = bench.output();
    let shapes: Vec<_> = frames.iter().map(|frame| (frame.kind, frame.flags, frame.stream)).collect();
    let want = [
        (kind::HEADERS, flag::END_STREAM, 1),
        (kind::CONTINUATION, 0, 1),
        (kind::CONTINUATION, flag::END_HEADERS, 1),
    ];
    assert_eq!(shapes, want);
    assert!(frames[..2].iter().all(|frame| frame.payload.len() == 16_384), "{frames:?}");
    // One of our servers can read it, if it allows lists of this size.
    let block: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.clone()).collect();
    let limits = dunlin_http2::hpack::ListLimits { size: 65_536, fields: 10 };
    let list = dunlin_http2::hpack::Decoder::new(4096).decode(&block, limits).expect("a block");
    assert_eq!(list.get("x"), Some(value.as_bytes()));
}

#[test]
fn header_lists_are_not_larger_than_the_server_takes() {
    let mut bench = Bench::client(Config::default());
    let fields = request_fields("GET");
    let size: usize = fields.iter().map(|field| field.name.len() + field.value.len() + 32).sum();
    let least = size as u32;
    bench.send(&[settings(setting::MAX_HEADER_LIST_SIZE, least - 1)]);
    let refused = bench.engine.open(&fields[..], true);
    assert_eq!(refused, Err(HeaderListTooLarge { size, limit: least - 1 }.into()));
    bench.send(&[settings(setting::MAX_HEADER_LIST_SIZE, least)]);
    assert!(bench.engine.open(&fields[..], true).is_ok());
}

#[test]
fn no_more_streams_are_opened_than_the_server_allows() {
    let mut bench = Bench::client(Config::default());
    bench.send(&[settings(setting::MAX_CONCURRENT_STREAMS, 2)]);
    bench.events();
    bench.get();
    bench.get();
    assert_eq!(bench.engine.available_streams(), 0);
    let full = || Err(OpenError::Full { limit: 2 });
    assert_eq!(bench.engine.open(&request_fields("GET")[..], true), full());
    assert_eq!(bench.engine.open(&request_fields("GET")[..], true), full());
    bench.send(&[ok().end_stream()]);
    let end = Seen::Headers { stream: 1, kind: dunlin_http2::HeadersKind::Response, end_stream: true };
    assert_eq!(bench.events(), [end, Seen::Capacity]); // once, however often it was tried
    assert_eq!(bench.get().id.get(), 5); // identifiers are not used up by attempts
    assert_eq!(bench.engine.open(&request_fields("GET")[..], true), full());
    bench.send(&[settings(setting::MAX_CONCURRENT_STREAMS, 3)]);
    assert_eq!(bench.events(), [Seen::Settings, Seen::Capacity]);
}

#[test]
fn nobody_is_told_of_room_that_nobody_asked_for() {
    let mut bench = Bench::client(Config::default());
    bench.send(&[settings(setting::MAX_CONCURRENT_STREAMS, 1)]);
    bench.get();
    bench.events();
    bench.send(&[ok().end_stream(), settings(setting::MAX_CONCURRENT_STREAMS, 2)]);
    let end = Seen::Headers { stream: 1, kind: dunlin_http2::HeadersKind::Response, end_stream: true };
    assert_eq!(bench.events(), [end, Seen::Settings]);
}

#[test]
fn an_end_that_makes_no_room_is_no_capacity() {
    // §5.1.2: the server may lower its limit below what is open.
    let mut bench = Bench::client(Config::default());
    bench.get();
    bench.get();
    bench.send(&[settings(setting::MAX_CONCURRENT_STREAMS, 1)]);
    bench.events();
    assert_eq!(bench.engine.open(&request_fields("GET")[..], true), Err(OpenError::Full { limit: 1 }));
    let end = |stream| Seen::Headers { stream, kind: dunlin_http2::HeadersKind::Response, end_stream: true };
    bench.send(&[ok().end_stream()]);
    assert_eq!(bench.events(), [end(1)]); // one is open, and one is allowed
    bench.send(&[ok().end_stream().on(3)]);
    assert_eq!(bench.events(), [end(3), Seen::Capacity]);
}

#[test]
fn a_congested_stream_tells_when_it_is_drained() {
    let (mut bench, key) = post(&[]);
    data(&mut bench, key, 65_535 + (64 << 10));
    assert!(!bench.engine.is_congested(key)); // 64 KiB wait, which is not above it
    data(&mut bench, key, 1);
    assert!(bench.engine.is_congested(key));
    let drain = |bench: &mut Bench, by| {
        bench.send(&[Frame::window_update(0, by), Frame::window_update(1, by)]);
        bench.events()
    };
    assert_eq!(drain(&mut bench, 32 << 10), []); // 32 KiB and one wait
    assert!(bench.engine.is_congested(key));
    assert_eq!(drain(&mut bench, 1), [Seen::Drained { stream: 1 }]);
    assert!(!bench.engine.is_congested(key));
}

#[test]
fn nothing_is_sent_on_a_stream_that_is_over_or_out_of_order() {
    let (mut bench, key) = post(&[]);
    let fields = [Field::new("x", "y")];
    assert_eq!(bench.engine.send_headers(key, &fields[..], false), Err(SendError::Order)); // of a server
    assert_eq!(bench.engine.send_trailers(key, &fields[..]), Ok(()));
    assert_eq!(bench.engine.send_data(key, "a".into(), false), Err(SendError::Closed));
    assert_eq!(bench.engine.send_trailers(key, &fields[..]), Err(SendError::Closed));
    let (mut bench, key) = post(&[]);
    bench.send(&[Frame::rst_stream(1, code::CANCEL)]);
    assert_eq!(bench.engine.send_data(key, "a".into(), false), Err(SendError::Closed));
    assert_eq!(bench.output(), []);
}
