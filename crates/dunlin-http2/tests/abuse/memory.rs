//! What a connection holds, and what it does without while memory is short.

use bytes::Bytes;
use dunlin_http2::{Config, ConnectionError, ErrorCode, Field, Limit, Pressure};
use dunlin_testkit::http2::{Frame, code, kind, setting};

use crate::allowed;
use crate::harness::{App, Bench, PROBE, get, post, response};

/// An answer of so many octets, to the stream.
fn send(bench: &mut Bench, stream: u32, len: usize) {
    let key = bench.key(stream);
    bench.engine.send_headers(key, &[Field::new(":status", "200")][..], false).expect("a response");
    bench.engine.send_data(key, Bytes::from(vec![0; len]), true).expect("content");
}

/// A server whose peer takes no content.
fn without_windows(config: Config) -> Bench {
    let mut bench = Bench::server(config, App::Silent);
    allowed(&mut bench, &[Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)])], "no windows");
    bench
}

#[test]
fn all_that_a_peer_makes_us_hold_is_counted_until_it_is_gone() {
    let mut bench = without_windows(Config::default());
    // The first streams bring memory that stays.
    bench.send(&[post(1)]);
    bench.engine.forget(bench.key(1), ErrorCode::CANCEL);
    bench.output();
    let before = bench.engine.held();

    bench.send(&[post(3), Frame::data(3, vec![1; 5000]), post(5), Frame::data(5, vec![1; 700])]);
    let received = bench.engine.held() - before;
    assert!((5700..7000).contains(&received), "content that was not released, and headers: {received}");
    bench.engine.release(bench.key(3), 5000);
    assert_eq!(before + received - bench.engine.held(), 5000);

    send(&mut bench, 3, 100_000);
    send(&mut bench, 5, 0);
    let queued = bench.engine.held() - before;
    assert!((100_700..103_000).contains(&queued), "content without a window: {queued}");
    allowed(&mut bench, &[Frame::window_update(3, 60_000)], "a window for most of it");
    let queued = bench.engine.held() - before;
    assert!((40_700..43_000).contains(&queued), "content without a window: {queued}");

    [3, 5].into_iter().for_each(|stream| bench.engine.forget(bench.key(stream), ErrorCode::CANCEL));
    bench.transmit().expect("resets");
    bench.engine.shrink();
    assert_eq!((bench.engine.stream_count(), bench.engine.held()), (0, bench.engine.memory()));
}

#[test]
fn small_pieces_cost_more_than_their_octets() {
    let mut bench = without_windows(Config::default());
    bench.send(&[get(1)]);
    send(&mut bench, 1, 0);
    bench.send(&[get(3)]);
    let key = bench.key(3);
    bench.engine.send_headers(key, &[Field::new(":status", "200")][..], false).expect("a response");
    let before = bench.engine.held();
    (0..1000).for_each(|_| bench.engine.send_data(key, Bytes::from_static(b"x"), false).expect("content"));
    assert!(bench.engine.held() - before > 1000 * size_of::<Bytes>());
}

#[test]
fn above_the_half_of_its_memory_a_connection_takes_no_streams_and_above_all_it_ends() {
    let mut bench = without_windows(Config::default().max_connection_memory(1_000_000));
    allowed(&mut bench, &[get(1), get(3)], "two requests");
    send(&mut bench, 1, 600_000);
    bench.transmit().expect("below the limit");
    bench.output();
    assert_eq!(bench.send(&[get(5)]), [Frame::rst_stream(5, code::REFUSED_STREAM)]);
    assert_eq!(bench.engine.counter(Limit::ConnectionMemory), 0);

    // Taken by the peer, it is forgiven.
    allowed(&mut bench, &[Frame::window_update(1, 30_000), Frame::window_update(0, 1 << 20)], "windows");
    allowed(&mut bench, &[Frame::window_update(1, 570_000)], "windows");
    bench.transmit().expect("below the limit");
    assert_eq!(bench.send(&[get(7)]), []);

    send(&mut bench, 3, 1_000_000);
    let error = ConnectionError::Abuse { limit: Limit::ConnectionMemory, allowed: 1_000_000 };
    assert_eq!(error.to_string(), "more than `max_connection_memory` allows (1000000)");
    assert_eq!(bench.transmit(), Err(error));
    let last = bench.output().pop().expect("GOAWAY");
    assert_eq!(last, Frame::goaway(7, code::ENHANCE_YOUR_CALM));
    assert_eq!(bench.engine.counter(Limit::ConnectionMemory), 1);
    assert!(bench.engine.held() < 100_000, "what is queued is let go of: {}", bench.engine.held());
}

#[test]
fn a_client_may_queue_what_it_likes() {
    let mut bench = Bench::client(Config::default().max_connection_memory(1000));
    let key = bench.open("POST", false);
    bench.engine.send_data(key, Bytes::from(vec![0; 1_000_000]), true).expect("content");
    assert_eq!(bench.transmit(), Ok(()));
}

/// Sends a window's worth of content, and answers the probe: whether the windows have grown.
fn has_grown(bench: &mut Bench) -> bool {
    let mut frames = bench.send(&[post(1)]);
    for _ in 0..20 {
        frames.extend(bench.send(&vec![Frame::data(1, vec![0; 10_000]); 6]));
        frames.extend(bench.send(&[Frame::ping_ack(PROBE)]));
        bench.pass(std::time::Duration::from_secs(1));
    }
    frames.iter().any(|frame| frame.kind == kind::SETTINGS)
}

#[test]
fn windows_grow_while_there_is_memory() {
    let config = || Config::default().initial_window_size(65_535).connection_window_size(65_535);
    for (pressure, wanted) in [(Pressure::None, true), (Pressure::KeepWindows, false)] {
        let mut bench = Bench::server(config(), App::Answers);
        bench.engine.set_memory_pressure(pressure);
        assert_eq!(has_grown(&mut bench), wanted, "{pressure:?}");
    }
}

#[test]
fn a_grown_window_goes_back_to_its_first_size_under_pressure() {
    let config = Config::default().initial_window_size(65_535).connection_window_size(65_535);
    let mut bench = Bench::server(config, App::Answers);
    assert!(has_grown(&mut bench));
    allowed(&mut bench, &[Frame::settings_ack(), post(3)], "the larger windows");
    bench.engine.set_memory_pressure(Pressure::ShrinkWindows);
    // What was promised is honoured; what comes back is the first size.
    let mut largest = 0;
    for _ in 0..1000 {
        let frames = bench.send(&[Frame::data(3, vec![0; 1000])]);
        let updates = frames.iter().filter(|frame| frame.kind == kind::WINDOW_UPDATE && frame.stream == 0);
        let increment =
            |frame: &Frame| frame.payload.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
        largest = updates.map(increment).max().unwrap_or(0).max(largest);
    }
    assert!(!bench.engine.is_closed(), "content that is released goes on");
    assert!((30_000..=65_535).contains(&largest), "an update of {largest}");
}

#[test]
fn without_memory_new_streams_are_refused_and_others_go_on() {
    let mut bench = Bench::server(Config::default(), App::Answers);
    allowed(&mut bench, &[post(1)], "a request");
    bench.engine.set_memory_pressure(Pressure::RefuseStreams);
    assert_eq!(bench.send(&[get(3)]), [Frame::rst_stream(3, code::REFUSED_STREAM)]);
    assert_eq!(bench.send(&[Frame::data(1, "end").end_stream()]), response(1));
    bench.engine.set_memory_pressure(Pressure::None);
    let answer = bench.send(&[get(5)]);
    assert_eq!(answer.first().map(|frame| (frame.kind, frame.stream)), Some((kind::HEADERS, 5)));
}

#[test]
fn the_end_for_want_of_memory_names_the_setting() {
    let mut bench = without_windows(Config::default());
    allowed(&mut bench, &[get(1)], "a request");
    send(&mut bench, 1, 500_000);
    let error = bench.engine.exceed_memory(1 << 30);
    assert_eq!(error.to_string(), "more than `max_memory` allows (1073741824)");
    assert_eq!(error, ConnectionError::Abuse { limit: Limit::ServerMemory, allowed: 1 << 30 });
    assert_eq!(bench.engine.counter(Limit::ServerMemory), 1);
    assert!(bench.engine.held() < 100_000, "what is queued is let go of: {}", bench.engine.held());
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output().pop(), Some(Frame::goaway(1, code::ENHANCE_YOUR_CALM)));
}
