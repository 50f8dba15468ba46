//! How streams and the connection end, from the server's side (RFC 9113 §5.4, §6.8).

use dunlin_http2::{Config, Connection, ErrorCode, Field, Role, StreamKey};
use dunlin_testkit::http2::{Frame, PREFACE, code, kind};

use crate::harness::{App, Bench, Seen, answer, get, post, response};
use crate::{goaway, ping, pong, reset};

const DRAIN: [u8; 8] = *b"shutdown";
const LAST: u32 = 0x7fff_ffff;

/// A server with a request, that has begun to shut down.
fn shutting_down() -> Bench {
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[get(1)]);
    bench.engine.shut_down(bench.now);
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output(), [Frame::goaway(LAST, code::NO_ERROR), Frame::ping(DRAIN)]);
    bench
}

#[test]
fn a_shutdown_takes_what_was_on_its_way_and_refuses_what_comes_later() {
    let mut bench = shutting_down();
    assert_eq!(bench.send(&[get(3), Frame::ping_ack(DRAIN)]), goaway(3, code::NO_ERROR));
    assert_eq!(bench.send(&[get(5)]), reset(5, code::REFUSED_STREAM));
    for stream in [1, 3] {
        assert!(!bench.engine.is_closed(), "stream {stream} is still open");
        let key = bench.key(stream);
        answer(&mut bench.engine, key);
    }
    bench.transmit().expect("responses");
    assert_eq!(bench.output(), [response(1), response(3)].concat());
    assert!(bench.engine.is_closed());
}

#[test]
fn a_shutdown_does_not_wait_for_its_ping_for_ever() {
    let mut bench = shutting_down();
    let deadline = bench.engine.poll_timeout(bench.now).expect("a deadline");
    assert_eq!(deadline - bench.now, std::time::Duration::from_secs(5));
    bench.engine.handle_timeout(deadline).expect("no error");
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output(), goaway(1, code::NO_ERROR));
}

#[test]
fn the_last_stream_of_goaway_never_rises() {
    // §6.8: "Endpoints MUST NOT increase the value they send in the last stream identifier".
    let mut bench = shutting_down();
    assert_eq!(bench.send(&[Frame::ping_ack(DRAIN)]), goaway(1, code::NO_ERROR));
    assert_eq!(bench.send(&[get(3)]), reset(3, code::REFUSED_STREAM)); // it crossed GOAWAY
    assert_eq!(bench.send(&[ping().on(1)]), goaway(1, code::PROTOCOL_ERROR));
}

#[test]
fn a_stream_that_is_closed_is_forgotten_without_a_word() {
    // §6.4, §5.1: it has ended on both sides, so there is nothing to reset.
    for (why, prepare) in [
        ("its content is not released", None),
        ("the application held it", Some(Connection::hold as fn(&mut Connection, StreamKey))),
    ] {
        let mut bench = Bench::server(Config::default(), App::Silent);
        bench.send(&[post(1), Frame::data(1, "test").end_stream()]);
        let key = bench.key(1);
        if let Some(prepare) = prepare {
            prepare(&mut bench.engine, key);
        }
        answer(&mut bench.engine, key);
        bench.transmit().expect("a response");
        assert_eq!(bench.output(), response(1), "{why}");
        bench.engine.forget(key, ErrorCode::CANCEL);
        bench.transmit().expect("nothing");
        assert_eq!(bench.output(), [], "{why}");
        assert_eq!(bench.engine.stream_count(), 0, "{why}");
    }
}

#[test]
fn a_late_reset_of_a_stream_that_is_closed_is_no_event() {
    // Both have ended it, and only content that nobody has released yet keeps it. Once it is released
    // there is no event either.
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[post(1), Frame::data(1, "test").end_stream()]);
    let key = bench.key(1);
    answer(&mut bench.engine, key);
    bench.transmit().expect("a response");
    bench.events();
    bench.output();
    assert_eq!(bench.send(&[Frame::rst_stream(1, code::NO_ERROR), ping()]), pong());
    assert_eq!(bench.events(), []);
}

#[test]
fn a_reset_drops_what_is_queued() {
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[get(1)]);
    let key = bench.key(1);
    let fields = [Field::new(":status", "200")];
    bench.engine.send_headers(key, &fields[..], false).expect("a response");
    bench.engine.send_data(key, vec![0; 100_000].into(), true).expect("content");
    bench.transmit().expect("as much as the windows allow");
    bench.output();
    assert_eq!(bench.engine.queued(key), 100_000 - 65_535);
    let got = bench.send(&[Frame::rst_stream(1, code::CANCEL), Frame::window_update(0, 100_000), ping()]);
    assert_eq!(got, pong());
    assert_eq!((bench.engine.queued(key), bench.engine.stream_count()), (0, 0));
}

#[test]
fn a_dismissed_stream_sends_what_is_queued_and_is_reset_then() {
    // §8.1: a server that has answered may ask the client to stop, with NO_ERROR.
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[post(1), Frame::data(1, "test")]);
    let key = bench.key(1);
    let fields = [Field::new(":status", "200")];
    bench.engine.send_headers(key, &fields[..], false).expect("a response");
    bench.engine.send_data(key, vec![0; 65_536].into(), true).expect("content");
    bench.engine.dismiss(key);
    bench.transmit().expect("as much as the windows allow");
    assert_eq!(bench.output().iter().filter(|frame| frame.kind == kind::RST_STREAM).count(), 0);
    bench.events();
    assert_eq!(bench.send(&[Frame::data(1, "more"), ping()]), pong());
    assert_eq!(bench.events(), []);
    let got = bench.send(&[Frame::window_update(0, 1), Frame::window_update(1, 1)]);
    let wanted = [vec![Frame::data(1, [0]).end_stream()], reset(1, code::NO_ERROR)].concat();
    assert_eq!(got, wanted);
    assert_eq!(bench.engine.stream_count(), 0);
}

#[test]
fn nothing_is_reset_behind_the_goaway_that_closes() {
    let mut bench = Bench::server(Config::default(), App::Silent);
    bench.send(&[get(1)]);
    let key = bench.key(1);
    bench.engine.close(ErrorCode::NO_ERROR, "");
    bench.engine.forget(key, ErrorCode::CANCEL);
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output(), [Frame::goaway(1, code::NO_ERROR)]);
}

#[test]
fn a_held_stream_counts_until_it_is_forgotten() {
    let mut bench = Bench::server(Config::default().max_concurrent_streams(1), App::Silent);
    bench.send(&[get(1)]);
    let key = bench.key(1);
    bench.engine.hold(key);
    let again = [Frame::rst_stream(1, code::CANCEL), get(3)];
    assert_eq!(bench.send(&again), reset(3, code::REFUSED_STREAM));
    bench.engine.forget(key, ErrorCode::CANCEL);
    bench.transmit().expect("nothing");
    assert_eq!(bench.output(), []); // RST_STREAM is not answered by RST_STREAM (§5.4.2)
    assert_eq!(bench.send(&[get(5)]), []);
    assert_eq!(bench.engine.stream_count(), 1);
}

#[test]
fn what_is_expected_does_not_take_a_window_above_two_to_the_31() {
    // §6.9.1. The client goes by our SETTINGS before it has told us so.
    let most = 0x7fff_ffff;
    let config = Config::default().initial_window_size(most).connection_window_size(most);
    let mut bench = Bench::new(Role::Server, config, App::Silent);
    bench.feed(PREFACE).expect("the preface");
    bench.send(&[Frame::settings(&[]), post(1)]);
    let key = bench.key(1);
    bench.engine.expect(key, 1 << 20);
    bench.transmit().expect("at most an update");
    let is_for_stream = |frame: &&Frame| frame.kind == kind::WINDOW_UPDATE && frame.stream == 1;
    assert_eq!(bench.output().iter().find(is_for_stream), None); // 2^31 - 1 is all there can be
}

#[test]
fn a_client_that_takes_too_long_is_given_up() {
    let mut bench = Bench::new(Role::Server, Config::default(), App::Silent);
    bench.transmit().expect("nothing");
    bench.output();
    let begun = bench.now;
    for (octets, reason) in [
        (&[][..], "the preface did not come"),
        (PREFACE, "SETTINGS did not come"),
        (&Frame::settings(&[]).to_bytes(), "the acknowledgement did not come"),
    ] {
        bench.feed(octets).expect("a part of the handshake");
        let deadline = bench.engine.poll_timeout(bench.now).expect("a deadline");
        assert_eq!(deadline - begun, std::time::Duration::from_secs(10), "{reason}");
        assert_eq!(bench.engine.handle_timeout(begun), Ok(()), "{reason}");
    }
    bench.output();
    let late = begun + std::time::Duration::from_secs(10);
    bench.engine.handle_timeout(late).expect_err("too late");
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output(), goaway(0, code::SETTINGS_TIMEOUT));
    assert_eq!(bench.engine.poll_timeout(late), None);
    assert_eq!(bench.events(), [Seen::Settings]);
}
