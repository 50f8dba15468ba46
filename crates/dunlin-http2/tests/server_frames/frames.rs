//! RFC 9113 §3.4, §4, §6.1 to §6.4, §6.7, §6.8, §6.10, §7: the frames themselves.

use dunlin_http2::{Config, ConnectionError, ErrorCode, Role};
use dunlin_testkit::http2::{Block, Frame, PREFACE, code, flag, kind};

use crate::harness::{App, Bench, answer, get, get_block, post, response};
use crate::{check, goaway, ping, pong, reset};

use App::{Answers, Silent};

// 3.5/1 and 3.5/2 (§3.5 of RFC 7540 is §3.4 of RFC 9113)
#[test]
fn a_connection_begins_with_the_preface_or_not_at_all() {
    let frames_of = |octets: &[u8]| {
        let mut bench = Bench::new(Role::Server, Config::default(), Answers);
        bench.transmit().expect("nothing to send");
        bench.output();
        let result = bench.feed(octets).map_err(|error| error.code());
        (result, bench.output(), bench.engine.is_closed())
    };
    let settings = Frame::settings(&[]).to_bytes();
    let valid = [&PREFACE[..], &settings].concat();
    let failed = |code: ErrorCode| (Err(code), goaway(0, code.0), true);
    assert_eq!(frames_of(&valid), (Ok(()), vec![Frame::settings_ack()], false));
    for (octets, want) in [
        (&b"INVALID CONNECTION PREFACE\r\n\r\n"[..], failed(ErrorCode::PROTOCOL_ERROR)),
        (b"GET / HTTP/1.1\r\n", failed(ErrorCode::PROTOCOL_ERROR)),
        (&[&PREFACE[..], &Frame::ping([0; 8]).to_bytes()].concat(), failed(ErrorCode::PROTOCOL_ERROR)),
        (&[&PREFACE[..], &Frame::settings_ack().to_bytes()].concat(), failed(ErrorCode::PROTOCOL_ERROR)),
        (&PREFACE[..23], (Ok(()), vec![], false)), // may still become one
    ] {
        assert_eq!(frames_of(octets), want, "{}", octets.escape_ascii());
    }
}

#[test]
fn goaway_says_why_in_words() {
    let mut bench = Bench::server(Config::default(), Silent);
    let error = bench.feed(&Frame::ping([0; 8]).on(3).to_bytes()).expect_err("PING on a stream");
    assert!(matches!(error, ConnectionError::Protocol { code: ErrorCode::PROTOCOL_ERROR, .. }), "{error:?}");
    assert!(error.to_string().contains("RFC 9113"), "{error}");
}

// 4.1
#[test]
fn what_a_frame_has_beyond_the_specification_is_ignored() {
    let unknown = |stream| Frame::new(0x16, 0xff, stream, [0; 8]);
    check([
        ("4.1/1", Answers, vec![unknown(0), ping()], pong()),
        ("4.1/1", Answers, vec![unknown(1), get(1)], response(1)), // it does not open the stream
        ("4.1/2", Answers, vec![ping().with(0x16)], pong()),
        ("4.1/3", Answers, vec![ping().on(0x8000_0000)], pong()),
        ("4.1/3", Answers, vec![get(1).on(0x8000_0001)], response(1)),
    ]);
}

// 4.2
#[test]
fn frames_have_the_size_that_was_agreed_on() {
    let large = get_block().then(&Block::of(&[("x", &"y".repeat(16_384))]));
    check([
        (
            "4.2/1",
            Answers,
            vec![post(1), Frame::data(1, [0; 16_384]).end_stream()], // the most
            response(1),
        ),
        // An endpoint may go further than the stream that RFC 9113 asks for.
        ("4.2/2", Answers, vec![post(1), Frame::data(1, [0; 16_385])], goaway(1, code::FRAME_SIZE_ERROR)),
        ("4.2/3", Answers, vec![Frame::headers(1, large).end_stream()], goaway(0, code::FRAME_SIZE_ERROR)),
        // The header tells already.
        ("4.2/3", Answers, vec![get(1).announcing(0xff_ffff)], goaway(0, code::FRAME_SIZE_ERROR)),
    ]);
}

// 4.3
#[test]
fn header_blocks_are_whole_and_come_in_one_piece() {
    let begun = || get(1).unfinished();
    check([
        (
            "4.3/1",
            Answers,
            vec![Frame::headers(1, Block::new().raw([0x40, 0x01])).end_stream()],
            goaway(0, code::COMPRESSION_ERROR),
        ),
        ("4.3/2", Answers, vec![begun(), Frame::priority(1, 0, 255)], goaway(0, code::PROTOCOL_ERROR)),
        ("4.3/3", Answers, vec![begun(), get(3)], goaway(0, code::PROTOCOL_ERROR)),
    ]);
}

// 6.1
#[test]
fn data_needs_a_stream_and_room_for_its_padding() {
    check([
        ("6.1/1", Answers, vec![Frame::data(0, "test")], goaway(0, code::PROTOCOL_ERROR)),
        ("6.1/2", Silent, vec![get(1), Frame::data(1, "test")], reset(1, code::STREAM_CLOSED)),
        // Six octets of payload, the first of which announces more.
        (
            "6.1/3",
            Answers,
            vec![post(1), Frame::data(1, "tests").padded_as(6, 0)],
            goaway(1, code::PROTOCOL_ERROR),
        ),
        (
            "6.1/3",
            Answers,
            vec![post(1), Frame::data(1, "").padded_as(1, 0)],
            goaway(1, code::PROTOCOL_ERROR),
        ),
        (
            "6.1/3",
            Answers,
            vec![post(1), Frame::data(1, "").with(flag::PADDED)], // not even the length
            goaway(1, code::FRAME_SIZE_ERROR),
        ),
    ]);
}

#[test]
fn a_frame_of_nothing_but_padding_does_not_hold_up_what_is_behind_it() {
    // §6.1: padding is no content, and the frame is a whole one.
    let request = [post(1), Frame::data(1, "").padded(5), ping()];
    check([("6.1", Answers, request.to_vec(), pong())]);
}

#[test]
fn padding_of_a_stream_that_we_reset_does_not_hold_up_what_is_behind_it() {
    let mut bench = Bench::server(Config::default(), Silent);
    let data = Frame::data(1, "test").padded(5).to_bytes();
    let (begun, rest) = data.split_at(12);
    bench.send(&[post(1)]);
    bench.feed(begun).expect("half a frame");
    let key = bench.key(1);
    bench.engine.reset(key, ErrorCode::CANCEL);
    bench.feed(&[rest, &ping().to_bytes()].concat()).expect("the other half");
    assert_eq!(bench.output(), [reset(1, code::CANCEL), pong()].concat());
}

// 6.2
#[test]
fn headers_need_a_stream_their_rest_and_room_for_their_padding() {
    let begun = || get(1).unfinished();
    check([
        ("6.2/1", Answers, vec![begun(), Frame::priority(1, 0, 255)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.2/2", Answers, vec![begun(), get(3)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.2/3", Answers, vec![get(0)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.2/4", Answers, vec![get(1).padded_as(200, 0)], goaway(0, code::PROTOCOL_ERROR)),
        (
            "6.2/4",
            Answers,
            vec![Frame::headers(1, []).with(flag::PADDED)], // not even the length
            goaway(0, code::FRAME_SIZE_ERROR),
        ),
        (
            "6.2/4",
            Answers,
            vec![Frame::headers(1, [0; 4]).with(flag::PRIORITY)], // a priority has five octets
            goaway(0, code::FRAME_SIZE_ERROR),
        ),
    ]);
}

// 6.3
#[test]
fn priority_needs_a_stream_and_five_octets() {
    let of_four = |stream| Frame::new(kind::PRIORITY, 0, stream, [0; 4]);
    check([
        ("6.3/1", Answers, vec![Frame::priority(0, 0, 255)], goaway(0, code::PROTOCOL_ERROR)),
        // RST_STREAM is not for idle streams (§6.4), so there it costs the connection.
        ("6.3/2", Answers, vec![of_four(1)], goaway(0, code::FRAME_SIZE_ERROR)),
        (
            "6.3/2",
            Silent,
            vec![get(1), of_four(1), ping()],
            [reset(1, code::FRAME_SIZE_ERROR), pong()].concat(),
        ),
    ]);
}

// 6.4
#[test]
fn rst_stream_needs_a_stream_that_has_begun_and_four_octets() {
    let of_three = Frame::new(kind::RST_STREAM, 0, 1, [0; 3]);
    check([
        ("6.4/1", Answers, vec![Frame::rst_stream(0, code::CANCEL)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.4/2", Answers, vec![Frame::rst_stream(1, code::CANCEL)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.4/3", Silent, vec![get(1), of_three], goaway(1, code::FRAME_SIZE_ERROR)),
    ]);
}

// 5.4.1 and 6.7
#[test]
fn a_ping_has_eight_octets_and_no_stream_and_is_answered_once() {
    let of_six = Frame::new(kind::PING, 0, 0, [0; 6]);
    check([
        ("5.4.1/1", Answers, vec![ping().on(3), ping()], goaway(0, code::PROTOCOL_ERROR)), // and then silence
        ("5.4.1/2", Answers, vec![ping().on(3)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.7/1", Answers, vec![ping()], pong()),
        ("6.7/2", Answers, vec![Frame::ping_ack(*b"invalid\0"), ping()], pong()), // no answer to an answer
        ("6.7/3", Answers, vec![ping().on(1)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.7/4", Answers, vec![of_six], goaway(0, code::FRAME_SIZE_ERROR)),
    ]);
}

// 6.8
#[test]
fn goaway_is_about_the_connection() {
    let of_seven = Frame::new(kind::GOAWAY, 0, 0, [0; 7]); // eight octets are the least
    check([
        ("6.8/1", Answers, vec![Frame::goaway(0, code::NO_ERROR).on(1)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.8", Answers, vec![of_seven], goaway(0, code::FRAME_SIZE_ERROR)),
    ]);
}

#[test]
fn what_was_begun_before_goaway_is_finished() {
    let mut bench = Bench::server(Config::default(), Silent);
    assert_eq!(bench.send(&[get(1), Frame::goaway(0, code::NO_ERROR)]), goaway(1, code::NO_ERROR));
    assert!(!bench.engine.is_closed());
    let key = bench.key(1);
    answer(&mut bench.engine, key);
    bench.transmit().expect("a response");
    assert_eq!(bench.output(), response(1));
    assert!(bench.engine.is_closed());
}

// 6.10
#[test]
fn continuation_continues_headers_of_the_same_stream_until_they_end() {
    let begun = || get(1).unfinished();
    let more = || Frame::continuation(1, Block::of(&[("x", "y")]));
    let error = || goaway(0, code::PROTOCOL_ERROR);
    check([
        ("6.10/1", Answers, vec![begun(), more().unfinished(), more()], response(1)),
        ("6.10/2", Answers, vec![begun(), more().unfinished(), Frame::data(1, "test")], error()),
        ("6.10/3", Answers, vec![begun(), more().on(0)], error()),
        ("6.10/4", Silent, vec![get(1), more()], goaway(1, code::PROTOCOL_ERROR)),
        ("6.10/5", Silent, vec![begun(), more(), more()], goaway(1, code::PROTOCOL_ERROR)),
        ("6.10/6", Answers, vec![post(1), Frame::data(1, "test"), more()], goaway(1, code::PROTOCOL_ERROR)),
    ]);
}

// 5.5
#[test]
fn extensions_are_ignored_but_not_within_a_header_block() {
    let extension = || Frame::new(0x16, 0, 0, [0; 8]);
    check([
        ("5.5/1", Answers, vec![extension(), ping()], pong()),
        ("5.5/2", Answers, vec![get(1).unfinished(), extension().on(1)], goaway(0, code::PROTOCOL_ERROR)),
    ]);
}

// 7
#[test]
fn error_codes_that_nobody_knows_are_harmless() {
    check([
        ("7/1", Answers, vec![Frame::goaway(0, 0xff)], goaway(0, code::NO_ERROR)),
        ("7/2", Answers, vec![post(1), Frame::rst_stream(1, 0xff), ping()], pong()),
    ]);
}
