//! RFC 9113 §5: streams that the server has no right to, or no longer.

use dunlin_http2::{Config, ErrorCode, HeadersKind, ResetReason, StreamFault};
use dunlin_testkit::http2::{Block, Frame, code, kind};

use crate::harness::{Bench, Seen};
use crate::{check, goaway, head, ok, ping, pong, reset};

use HeadersKind::Response;

#[test]
fn frames_on_streams_that_nobody_has_opened_end_the_connection() {
    for (why, stream) in [("the next one", 3), ("any later one", 0x7fff_ffff), ("a server's", 2)] {
        for frame in [
            ok().on(stream),
            Frame::data(stream, "a"),
            Frame::rst_stream(stream, code::CANCEL),
            Frame::window_update(stream, 1),
            Frame::continuation(stream, [0x88]),
            Frame::push_promise(stream, 4, [0x82]),
        ] {
            check([(why, vec![frame], goaway(code::PROTOCOL_ERROR), vec![])]);
        }
        check([(why, vec![Frame::priority(stream, 0, 1), ping()], pong(), vec![])]); // in any state
    }
}

#[test]
fn pushes_end_the_connection() {
    // §8.4: the first that we send says that nothing may be pushed.
    let promise = |promised| Frame::push_promise(1, promised, [0x82, 0x86, 0x84]);
    check([
        ("on a stream that is open", vec![promise(2)], goaway(code::PROTOCOL_ERROR), vec![]),
        ("of a stream of ours", vec![promise(3)], goaway(code::PROTOCOL_ERROR), vec![]),
        ("on the connection", vec![promise(2).on(0)], goaway(code::PROTOCOL_ERROR), vec![]),
    ]);
}

#[test]
fn a_stream_that_has_ended_takes_no_more() {
    let whole = || head(Response, true);
    check([
        (
            "DATA",
            vec![ok().end_stream(), Frame::data(1, "a"), ping()],
            [reset(1, code::STREAM_CLOSED), pong()].concat(),
            vec![whole()],
        ),
        ("HEADERS", vec![ok().end_stream(), ok()], goaway(code::STREAM_CLOSED), vec![whole()]),
        (
            "WINDOW_UPDATE crosses",
            vec![ok().end_stream(), Frame::window_update(1, 1), ping()],
            pong(),
            vec![whole()],
        ),
        (
            "RST_STREAM crosses",
            vec![ok().end_stream(), Frame::rst_stream(1, 0), ping()],
            pong(),
            vec![whole()],
        ),
    ]);
}

#[test]
fn a_server_that_has_ended_a_stream_sends_no_more_while_we_still_do() {
    for frame in [Frame::data(1, "a"), ok()] {
        let mut bench = Bench::client(Config::default());
        bench.open("POST", false);
        bench.send(&[ok().end_stream()]);
        assert_eq!(
            bench.send(&[frame.clone(), ping()]),
            [reset(1, code::STREAM_CLOSED), pong()].concat(),
            "{frame:?}"
        );
    }
}

#[test]
fn what_comes_after_our_reset_is_ignored_and_given_back() {
    let mut bench = Bench::client(Config::default().connection_window_size(65_535));
    let key = bench.get();
    bench.engine.forget(key, ErrorCode::CANCEL);
    bench.transmit().expect("RST_STREAM");
    bench.output();
    let inserts = Block::new().indexed(8).incremental("x-test", "ok");
    let late = [Frame::headers(1, inserts), Frame::data(1, [0; 16_384]), Frame::data(1, [0; 16_383])];
    assert_eq!(bench.send(&late), [Frame::window_update(0, 32_767)]);
    assert_eq!(bench.events(), []);
    // The table of both is the same still.
    bench.get();
    bench.output();
    let uses = Block::new().indexed(8).indexed(62);
    assert_eq!(bench.send(&[Frame::headers(3, uses).end_stream()]), []);
    assert_eq!(bench.events(), [Seen::Headers { stream: 3, kind: Response, end_stream: true }]);
    assert_eq!(bench.engine.stream_count(), 0);
}

#[test]
fn a_reset_of_the_server_says_why() {
    let reset_with = |code| Seen::Reset { stream: 1, reason: ResetReason::Remote(ErrorCode(code)) };
    check([
        ("any code", vec![Frame::rst_stream(1, code::CANCEL)], vec![], vec![reset_with(code::CANCEL)]),
        ("a code that nobody knows", vec![Frame::rst_stream(1, 0xff)], vec![], vec![reset_with(0xff)]),
        (
            "twice",
            vec![Frame::rst_stream(1, code::CANCEL), Frame::rst_stream(1, code::CANCEL), ping()],
            pong(),
            vec![reset_with(code::CANCEL)],
        ),
    ]);
}

#[test]
fn a_server_that_sends_more_than_a_window_loses_the_stream_or_the_connection() {
    let mut bench = Bench::client(Config::default().initial_window_size(10));
    bench.get();
    bench.output();
    let error = [reset(1, code::FLOW_CONTROL_ERROR), pong()].concat();
    assert_eq!(bench.send(&[ok(), Frame::data(1, [0; 10]), Frame::data(1, [0; 1]), ping()]), error);
    let fault = StreamFault::Protocol {
        code: ErrorCode::FLOW_CONTROL_ERROR,
        reason: "DATA above the window of the stream (RFC 9113 6.9.1)",
    };
    let events = bench.events();
    assert_eq!(events.last(), Some(&Seen::Reset { stream: 1, reason: ResetReason::Local(fault) }));

    let mut bench = Bench::client(Config::default().connection_window_size(65_535));
    bench.get();
    bench.output();
    let full = Frame::data(1, [0; 16_384]);
    let most = [ok(), full.clone(), full.clone(), full, Frame::data(1, [0; 16_383])];
    assert_eq!(bench.send(&most), []);
    assert_eq!(bench.send(&[Frame::data(1, [0; 1])]), goaway(code::FLOW_CONTROL_ERROR));
}

#[test]
fn windows_of_ours_stay_below_two_to_the_31() {
    let most = 0x7fff_ffff;
    let mut bench = Bench::client(Config::default());
    bench.open("POST", false);
    bench.output();
    let error = [reset(1, code::FLOW_CONTROL_ERROR), pong()].concat();
    assert_eq!(bench.send(&[Frame::window_update(1, most), ping()]), error);
    assert_eq!(bench.send(&[Frame::window_update(0, most)]), goaway(code::FLOW_CONTROL_ERROR));
    // Nothing, for either.
    let mut bench = Bench::client(Config::default());
    bench.open("POST", false);
    bench.output();
    assert_eq!(bench.send(&[Frame::window_update(1, 0)]), reset(1, code::PROTOCOL_ERROR));
    assert_eq!(bench.send(&[Frame::window_update(0, 0)]), goaway(code::PROTOCOL_ERROR));
}

#[test]
fn no_reset_of_a_stream_is_counted_twice() {
    // Faults in what follows a reset of ours are no faults anymore.
    let mut bench = Bench::client(Config::default());
    bench.get();
    bench.output();
    let late = [Frame::data(1, "a"), Frame::data(1, "b"), Frame::new(kind::WINDOW_UPDATE, 0, 1, [0; 4])];
    assert_eq!(bench.send(&late), reset(1, code::PROTOCOL_ERROR));
    assert_eq!(bench.engine.counter(dunlin_http2::Limit::LocalResets), 1);
}
