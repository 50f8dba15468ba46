//! RFC 9113 §3.4, §4, §6: frames that are about the connection, and frames of wrong sizes.

use dunlin_http2::{Config, OpenError, ResetReason, Role};
use dunlin_testkit::http2::{Block, Frame, code, flag, kind, setting};

use crate::harness::{App, Bench, Seen, request_fields};
use crate::{check, goaway, ok, ping, pong};

#[test]
fn a_client_begins_with_the_preface_and_its_settings() {
    let mut bench = Bench::new(Role::Client, Config::default(), App::Silent);
    let mut wire = Vec::new();
    bench.engine.transmit(bench.now).expect("the preface");
    bench.engine.output_mut().take_into(&mut wire);
    let settings = [
        (setting::ENABLE_PUSH, 0),
        (setting::MAX_CONCURRENT_STREAMS, 0),
        (setting::INITIAL_WINDOW_SIZE, 256 << 10),
        (setting::MAX_HEADER_LIST_SIZE, 32 << 10),
    ];
    let frames = [Frame::settings(&settings), Frame::window_update(0, (1 << 20) - 65_535)];
    let want = [&dunlin_testkit::http2::PREFACE[..], &dunlin_testkit::http2::bytes(&frames)].concat();
    assert_eq!(wire, want);
}

#[test]
fn a_server_begins_with_settings() {
    for (why, octets) in [
        ("an acknowledgement only", Frame::settings_ack().to_bytes()),
        ("another frame", ping().to_bytes()),
        ("GOAWAY at once", Frame::goaway(0, code::NO_ERROR).to_bytes()),
        ("a frame that is unknown", Frame::new(0x16, 0, 0, []).to_bytes()),
        ("HTTP/1.1", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
    ] {
        let mut bench = Bench::new(Role::Client, Config::default(), App::Silent);
        bench.transmit().expect("the preface");
        bench.output();
        bench.feed(&octets).expect_err(why);
        let got = bench.output();
        let is_goaway = got.len() == 1 && got[0].kind == kind::GOAWAY;
        assert!(is_goaway && bench.engine.is_closed(), "{why}: {got:?}");
    }
}

#[test]
fn requests_need_not_wait_for_the_settings_of_the_server() {
    let mut bench = Bench::new(Role::Client, Config::default(), App::Silent);
    bench.get();
    let sent: Vec<u8> = bench.output().iter().map(|frame| frame.kind).collect();
    assert_eq!(sent, [kind::SETTINGS, kind::WINDOW_UPDATE, kind::HEADERS]);
}

#[test]
fn frames_of_wrong_sizes_end_the_connection() {
    let of = |kind, stream, len| Frame::new(kind, 0, stream, vec![0; len]);
    for frame in [
        of(kind::RST_STREAM, 1, 3),
        of(kind::RST_STREAM, 1, 5),
        of(kind::SETTINGS, 0, 5),
        Frame::new(kind::SETTINGS, flag::ACK, 0, [0; 6]), // an acknowledgement is empty
        of(kind::PING, 0, 7),
        of(kind::PING, 0, 9),
        of(kind::GOAWAY, 0, 7),
        of(kind::WINDOW_UPDATE, 0, 3),
        of(kind::WINDOW_UPDATE, 1, 5),
        of(kind::DATA, 1, 16_385),             // above our SETTINGS_MAX_FRAME_SIZE
        of(0x16, 0, 16_385),                   // also of a type that is unknown
        Frame::data(1, []).with(flag::PADDED), // no room for the length of the padding
        Frame::headers(1, []).with(flag::PADDED),
        Frame::headers(1, [0; 4]).with(flag::PRIORITY), // four of five octets
    ] {
        check([("§4.2, §6", vec![frame], goaway(code::FRAME_SIZE_ERROR), vec![])]);
    }
}

#[test]
fn frames_on_the_wrong_kind_of_stream_end_the_connection() {
    for frame in [
        Frame::data(0, "a"),
        ok().on(0),
        Frame::priority(0, 1, 1),
        Frame::rst_stream(0, code::CANCEL),
        Frame::continuation(0, [0x88]),
        Frame::settings(&[]).on(1),
        Frame::settings_ack().on(1),
        ping().on(1),
        Frame::goaway(0, code::NO_ERROR).on(1),
        Frame::headers(1, [0x88]).padded_as(2, 0), // and padding that is longer than its frame
        Frame::data(1, "a").padded_as(2, 0),
    ] {
        check([("§6", vec![frame], goaway(code::PROTOCOL_ERROR), vec![])]);
    }
}

#[test]
fn header_blocks_come_in_one_piece_and_can_be_decoded() {
    let begun = || ok().unfinished();
    let error = || goaway(code::PROTOCOL_ERROR);
    check([
        ("another stream", vec![begun(), Frame::continuation(3, [])], error(), vec![]),
        ("another frame", vec![begun(), ping()], error(), vec![]),
        ("an extension", vec![begun(), Frame::new(0x16, 0, 0, [])], error(), vec![]),
        ("no HEADERS before it", vec![Frame::continuation(1, [0x88])], error(), vec![]),
        ("an index of nothing", vec![Frame::headers(1, [0x80])], goaway(code::COMPRESSION_ERROR), vec![]),
        (
            "more than our table",
            vec![Frame::headers(1, Block::new().size_update(4097).indexed(8))],
            goaway(code::COMPRESSION_ERROR),
            vec![],
        ),
    ]);
}

#[test]
fn settings_of_a_server_stay_within_their_ranges() {
    let ack = || [vec![Frame::settings_ack()], pong()].concat();
    for (why, id, value, want) in [
        ("a server pushes", setting::ENABLE_PUSH, 1, goaway(code::PROTOCOL_ERROR)),
        ("not a truth value", setting::ENABLE_PUSH, 2, goaway(code::PROTOCOL_ERROR)),
        ("the only one", setting::ENABLE_PUSH, 0, ack()),
        ("2^31", setting::INITIAL_WINDOW_SIZE, 1 << 31, goaway(code::FLOW_CONTROL_ERROR)),
        ("below 2^14", setting::MAX_FRAME_SIZE, 16_383, goaway(code::PROTOCOL_ERROR)),
        ("above 2^24 - 1", setting::MAX_FRAME_SIZE, 1 << 24, goaway(code::PROTOCOL_ERROR)),
        ("RFC 8441 §3", setting::ENABLE_CONNECT_PROTOCOL, 1, ack()),
        ("RFC 8441 §3", setting::ENABLE_CONNECT_PROTOCOL, 2, goaway(code::PROTOCOL_ERROR)),
        ("unknown", 0xabcd, 7, ack()),
    ] {
        let events = if want == ack() { vec![Seen::Settings] } else { vec![] };
        check([(why, vec![Frame::settings(&[(id, value)]), ping()], want, events)]);
    }
    let back = [(setting::ENABLE_CONNECT_PROTOCOL, 1), (setting::ENABLE_CONNECT_PROTOCOL, 0)];
    check([("RFC 8441 §3: never back", vec![Frame::settings(&back)], goaway(code::PROTOCOL_ERROR), vec![])]);
}

#[test]
fn an_acknowledgement_of_nothing_ends_the_connection() {
    check([("§6.5", vec![Frame::settings_ack()], goaway(code::PROTOCOL_ERROR), vec![])]);
}

#[test]
fn answers_to_pings_that_were_not_sent_change_nothing() {
    for opaque in [*b"01234567", *b"bandwdth"] {
        let mut bench = Bench::client(Config::default());
        assert_eq!(bench.send(&[Frame::ping_ack(opaque)]), []);
        assert!(bench.engine.open(&request_fields("GET")[..], true).is_ok(), "{}", opaque.escape_ascii());
    }
}

#[test]
fn an_answer_to_the_ping_of_a_shutdown_does_not_shut_a_client_down() {
    // §6.7: it has sent no such PING, and a server that says so is no reason to go away.
    let mut bench = Bench::client(Config::default());
    assert_eq!(bench.send(&[Frame::ping_ack(*b"shutdown")]), []);
    assert!(!bench.engine.is_closed());
}

fn gone(stream: u32) -> Seen {
    Seen::Reset { stream, reason: ResetReason::NotProcessed }
}

#[test]
fn streams_above_the_last_of_goaway_were_not_processed() {
    let mut bench = Bench::client(Config::default());
    for _ in 0..4 {
        bench.get();
    }
    bench.output();
    assert_eq!(bench.send(&[Frame::goaway(3, code::NO_ERROR)]), []);
    let told = Seen::GoAway { last: 3, code: code::NO_ERROR };
    assert_eq!(bench.events(), [told, gone(5), gone(7)]);
    let refused = bench.engine.open(&request_fields("GET")[..], true);
    assert_eq!(refused, Err(OpenError::GoingAway));
    // The others go on to their ends, and then the connection does.
    assert!(!bench.engine.is_closed());
    assert_eq!(bench.send(&[ok().end_stream()]), []);
    assert!(!bench.engine.is_closed());
    assert_eq!(bench.send(&[ok().end_stream().on(3)]), []);
    assert!(bench.engine.is_closed());
}

#[test]
fn goaway_may_lower_its_last_stream_but_not_raise_it() {
    let mut bench = Bench::client(Config::default());
    for _ in 0..3 {
        bench.get();
    }
    bench.output();
    assert_eq!(bench.send(&[Frame::goaway(0x7fff_ffff, code::NO_ERROR)]), []); // the first of two steps
    assert_eq!(bench.send(&[Frame::goaway(3, code::NO_ERROR), Frame::goaway(1, code::CANCEL)]), []);
    let told = |last, code| Seen::GoAway { last, code };
    assert_eq!(bench.events(), [told(0x7fff_ffff, 0), told(3, 0), gone(5), told(1, code::CANCEL), gone(3)]);
    assert_eq!(bench.send(&[Frame::goaway(3, code::NO_ERROR)]), goaway(code::PROTOCOL_ERROR));
}

#[test]
fn goaway_may_not_raise_its_last_stream_after_our_own_shutdown_either() {
    let mut bench = Bench::client(Config::default());
    for _ in 0..3 {
        bench.get();
    }
    bench.engine.shut_down(bench.now);
    bench.transmit().expect("GOAWAY");
    bench.output();
    assert_eq!(bench.send(&[Frame::goaway(1, code::NO_ERROR)]), []);
    assert_eq!(bench.send(&[Frame::goaway(3, code::NO_ERROR)]), goaway(code::PROTOCOL_ERROR));
}
