//! Work of the same shapes as attacks, by clients and servers that mean no harm: it is served.

use std::time::Duration;

use dunlin_attack::{Flow, Session};
use dunlin_http2::Config;
use dunlin_testkit::http2::{Frame, code, setting};

use crate::server::{Ending, Server};

const TIME: Duration = Duration::from_secs(20);

/// Does the work on one connection, and expects it to be open afterwards.
fn is_served(path: &str, settings: &[(u16, u32)], work: impl FnOnce(&mut Session) -> Flow) -> Session {
    let server = Server::start(Config::default());
    let mut session = Session::connect(server.address, TIME).expect("the server listens");
    session.path = path.to_owned();
    let all = || {
        session.hello(settings)?;
        work(&mut session)?;
        let pongs = session.seen.pongs + 1;
        session.send(&[Frame::ping(*b"are you?")])?;
        session.wait_for(Duration::from_secs(5), |seen| seen.pongs >= pongs)
    };
    let flow = all();
    session.close();
    let end = server.hostile()[0].end.clone();
    assert_eq!((flow, end), (Flow::Continue(()), Some(Ending::Quiet)), "{:?}", session.seen);
    session
}

/// Sends a whole request, without a body.
fn call(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    let request = session.request(stream).end_stream();
    session.send(&[request])
}

#[test]
fn a_thousand_calls_may_be_cancelled_at_once() {
    is_served("/hold", &[], |session| {
        // As many as the server takes at a time, a few times.
        for _ in 0..5 {
            let streams: Vec<_> = (0..200).map(|_| session.next_stream()).collect();
            for stream in &streams {
                session.send(&[session.request(*stream).end_stream()])?;
            }
            for stream in streams {
                session.send(&[Frame::rst_stream(stream, code::CANCEL)])?;
            }
        }
        session.flush()
    });
}

#[test]
fn a_thousand_calls_may_be_cancelled_when_their_answers_are_on_their_way() {
    is_served("/", &[], |session| {
        session.repeat(1_000, |session, _| {
            let stream = session.next_stream();
            [session.request(stream).end_stream(), Frame::rst_stream(stream, code::CANCEL)]
        })
    });
}

#[test]
fn a_hundred_pings_are_answered() {
    let session = is_served("/", &[], |session| {
        session.repeat(100, |_, index| [Frame::ping(u64::from(index).to_be_bytes())])?;
        // Or the PING that `is_served` ends with would be content with an answer to one of these.
        session.wait_for(Duration::from_secs(5), |seen| seen.pongs >= 100)
    });
    assert_eq!(session.seen.pongs, 101);
}

#[test]
fn ten_thousand_small_calls_are_answered() {
    let session = is_served("/", &[], |session| {
        for round in 1..=100 {
            for _ in 0..100 {
                call(session)?;
            }
            session.flush()?;
            session.wait_for(Duration::from_secs(5), |seen| seen.ended >= round * 100)?;
            let received = 100 * b"hello".len() as u32;
            session.send(&[Frame::window_update(0, received)])?;
        }
        session.flush()
    });
    assert_eq!(session.seen.ended, 10_000);
}

/// Receives 10 MB, and gives `step` octets back at a time, on both windows.
fn receive_in_steps(step: u64) {
    const WANTED: u64 = 10 << 20;
    let session = is_served("/large", &[], |session| {
        call(session)?;
        session.flush()?;
        let mut released = 0;
        while released < WANTED {
            session.wait_for(Duration::from_secs(5), |seen| seen.data >= released + step)?;
            assert!(session.seen.data >= released + step, "nothing more came behind {released} octets");
            released += step;
            let step = step as u32;
            session.send(&[Frame::window_update(0, step), Frame::window_update(1, step)])?;
            session.flush()?;
        }
        Flow::Continue(())
    });
    assert!(session.seen.data >= WANTED);
}

#[test]
fn ten_megabytes_may_be_released_in_steps_of_a_kilobyte() {
    receive_in_steps(1 << 10);
}

#[test]
fn ten_megabytes_may_be_released_in_steps_of_four_kilobytes() {
    receive_in_steps(4 << 10);
}

// Go's net/http client has windows like these, and gives back what was read once it is 4 KiB.
#[test]
fn messages_may_be_released_in_steps_that_are_small_beside_the_windows() {
    is_served("/each", &[(setting::INITIAL_WINDOW_SIZE, 4 << 20)], |session| {
        let stream = session.next_stream();
        session.send(&[Frame::window_update(0, 1 << 30), session.request(stream)])?;
        for index in 1..=640 {
            session.send(&[Frame::data(stream, "?")])?;
            session.flush()?;
            session.wait_for(Duration::from_secs(5), |seen| seen.data >= index << 14)?;
            for _ in 0..4 {
                session.send(&[Frame::window_update(0, 4 << 10), Frame::window_update(stream, 4 << 10)])?;
            }
        }
        session.flush()
    });
}

// grpc-go measures the bandwidth that way: a PING with each DATA frame, unless one is on its way.
#[test]
fn a_ping_after_each_data_frame_measures_the_bandwidth() {
    let session = is_served("/large", &[(setting::INITIAL_WINDOW_SIZE, 65_535)], |session| {
        call(session)?;
        session.flush()?;
        for index in 1..=2_000u64 {
            let data = session.seen.data;
            session.wait_for(Duration::from_secs(5), |seen| seen.data > data || seen.data >= index << 13)?;
            let step = 1 << 13;
            session.send(&[
                Frame::ping(index.to_be_bytes()),
                Frame::window_update(0, step),
                Frame::window_update(1, step),
            ])?;
            session.flush()?;
            session.wait_for(Duration::from_secs(5), |seen| seen.pongs >= index)?;
        }
        Flow::Continue(())
    });
    assert!(session.seen.pongs >= 2_000);
}

#[test]
fn small_messages_may_be_on_their_way_to_a_call_that_is_refused() {
    // The answer is there at once; until it has come back, 5,000 messages of 10 octets have left.
    is_served("/status", &[], |session| {
        let stream = session.next_stream();
        session.send(&[session.request(stream)])?;
        session.repeat(5_000, |_, _| [Frame::data(stream, [0; 10])])
    });
}

#[test]
fn what_is_odd_now_and_then_is_no_attack() {
    is_served("/", &[], |session| {
        for index in 0..80u32 {
            call(session)?;
            let stream = session.next_stream();
            session.send(&[
                session.request(stream),
                Frame::data(stream, []),
                Frame::data(stream, "x").end_stream(),
                Frame::window_update(0, 10),
                Frame::priority(stream, 0, 16),
                Frame::new(0xfa, 0, 0, "grease"),
                Frame::ping(u64::from(index).to_be_bytes()),
            ])?;
            session.flush()?;
            session.wait_for(Duration::from_secs(5), |seen| seen.ended >= 2 * u64::from(index) + 2)?;
        }
        Flow::Continue(())
    });
}
