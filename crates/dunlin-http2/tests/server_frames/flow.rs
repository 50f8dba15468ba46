//! RFC 9113 §6.9: WINDOW_UPDATE and the windows.

use dunlin_http2::{Config, ErrorCode, Role};
use dunlin_testkit::http2::{Frame, PREFACE, code, kind, setting};

use crate::harness::{App, BODY, Bench, PROBE, get, post, response};
use crate::{check, check_one_by_one, goaway, ping, pong, reset};

use App::{Answers, Silent};

fn window(size: u32) -> Frame {
    Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, size)])
}

fn head() -> Vec<Frame> {
    vec![Frame::settings_ack(), Frame::headers(1, [0x88])]
}

// 6.9
#[test]
fn a_window_grows_by_more_than_nothing() {
    let of_three = |stream| Frame::new(kind::WINDOW_UPDATE, 0, stream, [0; 3]);
    check([
        ("6.9/1", Answers, vec![Frame::window_update(0, 0)], goaway(0, code::PROTOCOL_ERROR)),
        ("6.9/1", Answers, vec![Frame::window_update(0, 1 << 31)], goaway(0, code::PROTOCOL_ERROR)), // reserved
        (
            "6.9/2",
            Silent,
            vec![get(1), Frame::window_update(1, 0), ping()],
            [reset(1, code::PROTOCOL_ERROR), pong()].concat(),
        ),
        ("6.9/3", Answers, vec![of_three(0)], goaway(0, code::FRAME_SIZE_ERROR)),
        ("6.9/3", Silent, vec![get(1), of_three(1)], goaway(1, code::FRAME_SIZE_ERROR)),
    ]);
}

// 6.9.1
#[test]
fn windows_are_respected_and_stay_below_two_to_the_31() {
    let most = 0x7fff_ffff;
    let first = Frame::data(1, &BODY[..1]);
    check([
        ("6.9.1/1", Answers, vec![window(1), get(1)], [head(), vec![first]].concat()),
        (
            "6.9.1/2",
            Answers,
            vec![Frame::window_update(0, most), Frame::window_update(0, most)],
            goaway(0, code::FLOW_CONTROL_ERROR),
        ),
        ("6.9.1/2", Answers, vec![Frame::window_update(0, most - 65_535), ping()], pong()), // exactly the most
        (
            "6.9.1/3",
            Silent,
            vec![get(1), Frame::window_update(1, most), Frame::window_update(1, most), ping()],
            [reset(1, code::FLOW_CONTROL_ERROR), pong()].concat(),
        ),
        ("6.9.1/3", Silent, vec![get(1), Frame::window_update(1, most - 65_535), ping()], pong()),
    ]);
}

// 6.9.2
#[test]
fn a_new_initial_window_is_for_open_streams_too() {
    let part = |from: usize, to: usize| Frame::data(1, &BODY[from..to]);
    let with = |frames: &[Frame]| [&head()[..], frames].concat();
    let ack = Frame::settings_ack;
    check_one_by_one([
        ("6.9.2/1", Answers, vec![window(0), get(1), window(1)], with(&[ack(), part(0, 1)])),
        // 3, all of which is spent; 2 makes it -1; 2 more make it 1.
        (
            "6.9.2/2",
            Answers,
            vec![window(3), get(1), window(2), Frame::window_update(1, 2)],
            with(&[part(0, 3), ack(), part(3, 4)]),
        ),
        ("6.9.2/2", Answers, vec![window(3), get(1), window(2), Frame::window_update(1, 1)], {
            with(&[part(0, 3), ack()]) // 0, which is nothing yet
        }),
        ("6.9.2/3", Answers, vec![window(1 << 31)], goaway(0, code::FLOW_CONTROL_ERROR)),
        // The setting is fine, but not for a window that was grown already.
        (
            "6.9.2/3",
            Silent,
            vec![get(1), Frame::window_update(1, 1), window(0x7fff_ffff)],
            goaway(1, code::FLOW_CONTROL_ERROR),
        ),
    ]);
}

#[test]
fn a_client_that_sends_more_than_the_window_of_a_stream_loses_the_stream() {
    let mut bench = Bench::server(Config::default().initial_window_size(10), Silent);
    assert_eq!(bench.send(&[post(1), Frame::data(1, [0; 10]), ping()]), pong());
    let error = reset(1, code::FLOW_CONTROL_ERROR);
    assert_eq!(bench.send(&[Frame::data(1, [0; 1]), ping()]), [error, pong()].concat());
    // §6.9.1: the length of padding counts as well.
    let mut bench = Bench::server(Config::default().initial_window_size(10), Silent);
    let padded = Frame::data(1, [0; 7]).padded(3);
    assert_eq!(bench.send(&[post(1), padded]), reset(1, code::FLOW_CONTROL_ERROR));
}

#[test]
fn a_client_that_sends_more_than_the_window_of_the_connection_loses_it() {
    let mut bench = Bench::server(Config::default().connection_window_size(65_535), Silent);
    let full = [Frame::data(1, [0; 16_384]), Frame::data(3, [0; 16_384])];
    let most = [&[post(1), post(3)], &full[..], &full[..1], &[Frame::data(3, [0; 16_383]), ping()]].concat();
    assert_eq!(bench.send(&most), pong());
    assert_eq!(bench.send(&[Frame::data(1, [0; 1])]), goaway(3, code::FLOW_CONTROL_ERROR));
}

#[test]
fn what_is_thrown_away_is_given_back_to_the_connection() {
    // §6.9.1: DATA of a stream that was reset counts. Windows of the connection are told in halves.
    let mut bench = Bench::server(Config::default().connection_window_size(65_535), Silent);
    bench.send(&[post(1)]);
    let key = bench.key(1);
    bench.engine.forget(key, ErrorCode::CANCEL);
    bench.transmit().expect("RST_STREAM");
    assert_eq!(bench.output(), reset(1, code::CANCEL));
    let late = [Frame::data(1, [0; 16_384]), Frame::data(1, [0; 16_128]).padded(254)];
    assert_eq!(bench.send(&late), [Frame::window_update(0, 32_767)]);
    assert_eq!(bench.engine.stream_count(), 0);
}

#[test]
fn padding_is_given_back_by_itself() {
    // Nobody else can: the application does not see it. Half of the window of the stream is told.
    let mut bench = Bench::server(Config::default().initial_window_size(200), Silent);
    assert_eq!(bench.send(&[post(1), Frame::data(1, []).padded(98)]), []);
    let got = bench.send(&[Frame::data(1, []).padded(0)]);
    assert_eq!(got, [Frame::window_update(1, 100), Frame::ping(PROBE)]);
}

#[test]
fn an_empty_end_needs_no_window() {
    // §6.9.1: zero-length DATA with END_STREAM may be sent when neither window has room. Otherwise a
    // stream that somebody reads waits for one that nobody reads.
    let mut bench = Bench::server(Config::default(), Silent);
    bench.send(&[get(1), get(3)]);
    for stream in [1, 3] {
        let fields = [dunlin_http2::Field::new(":status", "200")];
        bench.engine.send_headers(bench.key(stream), &fields[..], false).expect("a response");
    }
    let large = vec![0; 100_000];
    bench.engine.send_data(bench.key(1), large.into(), true).expect("content");
    let sent = bench.send(&[Frame::window_update(1, 100_000)]); // the connection has 65,535
    assert_eq!(crate::harness::content_len(&sent, 1), 65_535);
    bench.engine.send_data(bench.key(3), bytes::Bytes::new(), true).expect("an empty end");
    bench.transmit().expect("an empty end");
    assert_eq!(bench.output(), [Frame::data(3, []).end_stream()]);
}

#[test]
fn content_of_nothing_is_no_frame() {
    // Peers count empty frames, as they can be an attack (CVE-2019-9518).
    let mut bench = Bench::server(Config::default(), Silent);
    bench.send(&[get(1)]);
    let fields = [dunlin_http2::Field::new(":status", "200")];
    bench.engine.send_headers(bench.key(1), &fields[..], false).expect("a response");
    bench.output();
    bench.engine.send_data(bench.key(1), bytes::Bytes::new(), false).expect("no content");
    bench.engine.send_data_with(bench.key(1), 0, false, |_| ()).expect("no content");
    assert_eq!(bench.output(), []);
}

#[test]
fn a_whole_window_comes_back_when_all_is_released() {
    let mut bench = Bench::server(Config::default().initial_window_size(100), Answers);
    let halves = [Frame::data(1, [0; 49]), Frame::data(1, [0; 1])];
    assert_eq!(bench.send(&[post(1)]), []);
    assert_eq!(bench.send(&halves), [Frame::window_update(1, 50)]);
    assert_eq!(bench.send(&[Frame::data(1, [0; 100]).end_stream()]), response(1)); // and no update at the end
}

#[test]
fn what_was_released_is_told_once_a_smaller_window_is_acknowledged() {
    // §6.9.2: the client began with 65,535. What it has consumed of that is not worth a frame then; of
    // ten octets it is all there is, so without an update the client waits for ever.
    let mut bench = Bench::new(Role::Server, Config::default().initial_window_size(10), Answers);
    bench.feed(PREFACE).expect("the preface");
    let early = [Frame::settings(&[]), post(1), Frame::data(1, [0; 100])];
    bench.send(&early);
    assert_eq!(bench.send(&[Frame::settings_ack()]), [Frame::window_update(1, 100)]);
    assert_eq!(bench.send(&[Frame::data(1, [0; 10]).end_stream()]), response(1));
}

#[test]
fn an_empty_end_is_taken_when_the_window_is_negative() {
    // §6.9.1, §6.9.2: the client used its first window, and has only then seen ours of ten octets. An
    // empty frame is within any window.
    let mut bench = Bench::new(Role::Server, Config::default().initial_window_size(10), Silent);
    bench.feed(PREFACE).expect("the preface");
    bench.send(&[Frame::settings(&[]), post(1), Frame::data(1, [0; 100]), Frame::settings_ack()]);
    assert_eq!(bench.send(&[Frame::data(1, []), Frame::data(1, []).end_stream(), ping()]), pong());
}
