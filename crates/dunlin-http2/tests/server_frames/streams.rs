//! RFC 9113 §5.1 to §5.3: the states of streams and their identifiers.

use dunlin_http2::Config;
use dunlin_testkit::http2::{Block, Frame, code};

use crate::harness::{App, Bench, get, get_block, post, response};
use crate::{check, goaway, ping, pong, reset};

use App::{Answers, Silent};

fn trailers(stream: u32) -> Frame {
    Frame::headers(stream, Block::of(&[("x", "y")])).end_stream()
}

// 5.1, idle
#[test]
fn an_idle_stream_takes_headers_and_priority_only() {
    let error = || goaway(0, code::PROTOCOL_ERROR);
    check([
        ("5.1/1", Answers, vec![Frame::data(1, "test").end_stream()], error()),
        ("5.1/2", Answers, vec![Frame::rst_stream(1, code::CANCEL)], error()),
        ("5.1/3", Answers, vec![Frame::window_update(1, 100)], error()),
        ("5.1/4", Answers, vec![Frame::continuation(1, get_block())], error()),
    ]);
}

// 5.1, half-closed (remote)
#[test]
fn a_client_that_has_ended_a_stream_sends_no_more_on_it() {
    check([
        ("5.1/5", Silent, vec![get(1), Frame::data(1, "test").end_stream()], reset(1, code::STREAM_CLOSED)),
        ("5.1/6", Silent, vec![get(1), trailers(1)], reset(1, code::STREAM_CLOSED)),
        ("5.1/7", Silent, vec![get(1), Frame::continuation(1, [])], goaway(1, code::PROTOCOL_ERROR)),
    ]);
}

// 5.1, closed by RST_STREAM of the client
#[test]
fn a_client_that_has_reset_a_stream_sends_no_more_on_it() {
    let after = |more: Frame| vec![post(1), Frame::rst_stream(1, code::CANCEL), more];
    check([
        ("5.1/8", Answers, after(Frame::data(1, "test").end_stream()), reset(1, code::STREAM_CLOSED)),
        ("5.1/9", Answers, after(trailers(1)), goaway(1, code::STREAM_CLOSED)), // C is as good as S
        ("5.1/10", Answers, after(Frame::continuation(1, [])), goaway(1, code::PROTOCOL_ERROR)),
    ]);
}

// 5.1, closed by END_STREAM of both sides
#[test]
fn a_stream_that_both_have_ended_takes_no_more() {
    let after = |more: Frame| vec![get(1), more];
    let then = |more: Vec<Frame>| [response(1), more].concat();
    check([
        ("5.1/11", Answers, after(Frame::data(1, "test").end_stream()), then(reset(1, code::STREAM_CLOSED))),
        ("5.1/12", Answers, after(get(1)), then(goaway(1, code::STREAM_CLOSED))),
        ("5.1/13", Answers, after(Frame::continuation(1, [])), then(goaway(1, code::PROTOCOL_ERROR))),
        // Late ones, which crossed the end on their way.
        ("5.1", Answers, vec![get(1), Frame::window_update(1, 1), ping()], then(pong())),
        ("5.1", Answers, vec![get(1), Frame::rst_stream(1, code::CANCEL), ping()], then(pong())),
    ]);
}

#[test]
fn what_a_stream_gets_after_our_reset_is_ignored() {
    // §5.1: the client may not have known. RST_STREAM is the answer to `:path` that is missing.
    let malformed = Frame::headers(1, Block::of(&[(":method", "POST"), (":scheme", "http")]));
    let error = || reset(1, code::PROTOCOL_ERROR);
    for (case, late) in [
        ("DATA", Frame::data(1, "test")),
        ("trailers", trailers(1)),
        ("WINDOW_UPDATE", Frame::window_update(1, 1)),
        ("RST_STREAM", Frame::rst_stream(1, code::CANCEL)),
        ("PRIORITY", Frame::priority(1, 0, 255)),
    ] {
        check([(case, Answers, vec![malformed.clone(), late, ping()], [error(), pong()].concat())]);
    }
}

// 5.1.1
#[test]
fn identifiers_of_a_client_are_odd() {
    check([("5.1.1/1", Answers, vec![get(2)], goaway(0, code::PROTOCOL_ERROR))]);
}

#[test]
fn identifiers_of_a_client_rise() {
    // Never used, so this is no late frame of a stream that is closed.
    let error = [response(5), goaway(5, code::PROTOCOL_ERROR)].concat();
    check([("5.1.1/2", Answers, vec![get(5), get(3)], error)]);
}

// 5.1.2
#[test]
fn streams_beyond_the_limit_are_refused() {
    for step in [usize::MAX, 1] {
        let mut bench = Bench::server(Config::default().max_concurrent_streams(2), Silent);
        let got = bench.send_in_steps(&[get(1), post(3), get(5), get(7)], step);
        let refused = [reset(5, code::REFUSED_STREAM), reset(7, code::REFUSED_STREAM)].concat();
        assert_eq!(got, refused);
        assert_eq!(bench.engine.stream_count(), 2);
    }
    // One that has ended makes room.
    let mut bench = Bench::server(Config::default().max_concurrent_streams(2), Silent);
    let reset_one = Frame::rst_stream(1, code::CANCEL);
    assert_eq!(bench.send(&[get(1), post(3), reset_one, get(5), get(7)]), reset(7, code::REFUSED_STREAM));
}

// 5.3.1
#[test]
fn a_stream_does_not_depend_on_itself() {
    let error = || reset(1, code::PROTOCOL_ERROR);
    check([
        ("5.3.1/1", Answers, vec![get(1).prioritized(1, 255)], error()),
        ("5.3.1/1", Answers, vec![get(1).prioritized(0x8000_0001, 255)], error()), // exclusively
        ("5.3.1/2", Answers, vec![Frame::priority(1, 1, 255)], goaway(0, code::PROTOCOL_ERROR)), // idle
        ("5.3.1/2", Silent, vec![get(1), Frame::priority(1, 1, 255)], error()),
    ]);
}
