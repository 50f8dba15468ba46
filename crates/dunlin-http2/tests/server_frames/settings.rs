//! RFC 9113 §6.5: SETTINGS.

use dunlin_testkit::http2::{Frame, code, flag, kind, setting};

use crate::harness::{App, BODY, get};
use crate::{check, goaway, ping, pong};

use App::Answers;

// 6.5
#[test]
fn settings_are_about_the_connection_and_have_six_octets_each() {
    let of_three = Frame::new(kind::SETTINGS, 0, 0, [0; 3]);
    check([
        (
            "6.5/1",
            Answers,
            vec![Frame::new(kind::SETTINGS, flag::ACK, 0, [0])],
            goaway(0, code::FRAME_SIZE_ERROR),
        ),
        ("6.5/2", Answers, vec![Frame::settings(&[]).on(1)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.5/3", Answers, vec![of_three], goaway(0, code::FRAME_SIZE_ERROR)),
    ]);
}

// 6.5.2
#[test]
fn settings_stay_within_their_ranges() {
    for (case, id, value, want) in [
        ("6.5.2/1", setting::ENABLE_PUSH, 2, Err(code::PROTOCOL_ERROR)),
        ("6.5.2/1", setting::ENABLE_PUSH, 0, Ok(())),
        ("6.5.2/1", setting::ENABLE_PUSH, 1, Ok(())), // from a client
        ("6.5.2/2", setting::INITIAL_WINDOW_SIZE, 1 << 31, Err(code::FLOW_CONTROL_ERROR)),
        ("6.5.2/2", setting::INITIAL_WINDOW_SIZE, (1 << 31) - 1, Ok(())), // the most
        ("6.5.2/3", setting::MAX_FRAME_SIZE, 16_383, Err(code::PROTOCOL_ERROR)),
        ("6.5.2/3", setting::MAX_FRAME_SIZE, 16_384, Ok(())), // the least
        ("6.5.2/4", setting::MAX_FRAME_SIZE, 1 << 24, Err(code::PROTOCOL_ERROR)),
        ("6.5.2/4", setting::MAX_FRAME_SIZE, (1 << 24) - 1, Ok(())), // the most
        ("6.5.2/5", 0xff, 1, Ok(())),                                // nobody knows it
        ("6.5.2", setting::HEADER_TABLE_SIZE, u32::MAX, Ok(())),     // any
        ("6.5.2", setting::MAX_CONCURRENT_STREAMS, 0, Ok(())),       // any
        ("6.5.2", setting::MAX_HEADER_LIST_SIZE, 0, Ok(())),         // advice only
        ("RFC 8441 3", setting::ENABLE_CONNECT_PROTOCOL, 2, Err(code::PROTOCOL_ERROR)),
        ("RFC 9218 2.1", setting::NO_RFC7540_PRIORITIES, 2, Err(code::PROTOCOL_ERROR)),
    ] {
        let want = match want {
            Ok(()) => [vec![Frame::settings_ack()], pong()].concat(),
            Err(code) => goaway(0, code),
        };
        check([(case, Answers, vec![Frame::settings(&[(id, value)]), ping()], want)]);
    }
}

// 6.5.3
#[test]
fn settings_are_applied_in_order_and_acknowledged() {
    let window = |size| (setting::INITIAL_WINDOW_SIZE, size);
    let begun = vec![Frame::settings_ack(), Frame::headers(1, [0x88]), Frame::data(1, &BODY[..1])];
    check([
        ("6.5.3/1", Answers, vec![Frame::settings(&[window(100), window(1)]), get(1)], begun), // the last counts
        ("6.5.3/2", Answers, vec![Frame::settings(&[window(100)])], vec![Frame::settings_ack()]),
    ]);
}
