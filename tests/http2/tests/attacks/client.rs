//! Hostile servers, and a client of our own that has to bear them. At the end, honest ones.

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dunlin_attack::{Flow, Session};
use dunlin_http2::{Config, Connection, ConnectionError, ErrorCode, Event, Field, Limit, StreamKey};
use dunlin_testkit::http2::{Block, Frame, code, setting};
use dunlin_transport::{CloseReason, ConnectionHandler, Driver};
use tokio::net::TcpStream;

use crate::server::{Ending, Record};

/// What the client does with its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Makes this many, and another one for each that ends.
    Calls(usize),
    /// Makes this many as soon as the server allows it, and then cancels all of them.
    CancelsAll(usize),
    /// Makes one, and cancels it once content has come.
    CancelsOnData,
    /// Makes one that sends content without end.
    Uploads,
}

struct Client {
    record: Arc<Mutex<Record>>,
    habit: Habit,
    calls: Vec<StreamKey>,
    has_begun: bool,
}

impl Client {
    fn call(&mut self, connection: &mut Connection) {
        let request = [
            Field::new(":method", "POST"),
            Field::new(":scheme", "http"),
            Field::new(":path", "/"),
            Field::new(":authority", "localhost"),
        ];
        let is_upload = self.habit == Habit::Uploads;
        if let Ok(stream) = connection.open(&request[..], !is_upload) {
            self.calls.push(stream);
            if is_upload {
                Self::upload(connection, stream);
            }
        }
    }

    fn upload(connection: &mut Connection, stream: StreamKey) {
        while !connection.is_congested(stream) {
            let content = Bytes::from_static(&[0; 4 << 10]);
            if connection.send_data(stream, content, false).is_err() {
                return;
            }
        }
    }
}

impl ConnectionHandler for Client {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Settings if !self.has_begun => {
                self.has_begun = true;
                let (Habit::Calls(count) | Habit::CancelsAll(count)) = self.habit else {
                    return self.call(connection);
                };
                (0..count).for_each(|_| self.call(connection));
                if let Habit::CancelsAll(_) = self.habit {
                    self.calls.drain(..).for_each(|stream| connection.forget(stream, ErrorCode::CANCEL));
                }
            }
            Event::Reset { stream, .. } => {
                connection.forget(stream, ErrorCode::CANCEL);
                if matches!(self.habit, Habit::Calls(_)) {
                    self.call(connection);
                }
            }
            Event::Drained { stream } => Self::upload(connection, stream),
            Event::Data { stream, data, .. } => {
                connection.release(stream, data.len());
                if self.habit == Habit::CancelsOnData {
                    connection.forget(stream, ErrorCode::CANCEL);
                }
            }
            _ => {}
        }
        lock(&self.record).observe(connection);
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}

    fn poll(&mut self, connection: &mut Connection, _: &mut std::task::Context<'_>, _: Instant) {
        lock(&self.record).observe(connection);
    }

    fn closed(&mut self, _: &Connection, reason: &CloseReason) {
        lock(&self.record).closed(reason);
    }
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A client on a thread of its own, and a server that does `work`. What the client went through, and
/// what the server saw.
fn served_by(habit: Habit, work: impl FnOnce(&mut Session) -> Flow) -> (Record, Session) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
    let address = listener.local_addr().expect("a bound socket");
    let record = Arc::new(Mutex::new(Record::default()));
    let shared = Arc::clone(&record);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let stream = TcpStream::connect(address).await.expect("the server listens");
            let connection = Connection::client(Config::default(), Instant::now());
            let handler = Client { record: shared, habit, calls: Vec::new(), has_begun: false };
            let (_, driver) = Driver::new(stream, connection, handler);
            let _ = tokio::time::timeout(Duration::from_secs(20), driver).await;
        });
    });
    let (stream, _) = listener.accept().expect("the client connects");
    let mut session = Session::over(stream, Duration::from_secs(10)).expect("a socket");
    let all = || {
        session.send(&[Frame::settings(&[(setting::MAX_CONCURRENT_STREAMS, 1 << 20)])])?;
        session.flush()?;
        session.wait_for(Duration::from_secs(2), |seen| seen.headers > 0)?;
        work(&mut session)?;
        let pongs = session.seen.pongs;
        session.send(&[Frame::ping(*b"are you?")])?;
        session.wait_for(Duration::from_secs(5), |seen| seen.pongs > pongs)
    };
    if let ControlFlow::Continue(()) = all() {
        assert_ne!(session.seen.pongs, 0, "the client is silent: {:?}", session.seen);
    }
    session.close();
    thread.join().expect("a client does not panic");
    let record = lock(&record).clone();
    (record, session)
}

fn ends_by(limit: Limit, habit: Habit, work: impl FnOnce(&mut Session) -> Flow) {
    let (record, session) = served_by(habit, work);
    let is_expected = matches!(record.end, Some(Ending::Error(ConnectionError::Abuse { limit: found, .. })) if found == limit);
    assert!(is_expected, "{:?} instead of {limit}, {} frames", record.end, session.frames);
    let code = session.seen.goaway.as_ref().map(|(code, _)| *code);
    assert_eq!(code, Some(ErrorCode::ENHANCE_YOUR_CALM.0), "what the server gets to see");
    assert!(record.memory < 1 << 20, "the engine held {} bytes", record.memory);
}

fn is_borne(habit: Habit, work: impl FnOnce(&mut Session) -> Flow) {
    let (record, session) = served_by(habit, work);
    assert_eq!(record.end, Some(Ending::Quiet), "{} frames: {:?}", session.frames, session.seen);
}

const CALL: Habit = Habit::Calls(1);

#[test]
fn a_server_may_not_flood_with_control_frames() {
    ends_by(Limit::Pings, CALL, |server| {
        server.repeat(20_000, |_, index| [Frame::ping(u64::from(index).to_be_bytes())])
    });
    ends_by(Limit::SettingsFrames, CALL, |server| server.repeat(20_000, |_, _| [Frame::settings(&[])]));
    ends_by(Limit::SettingsEntries, CALL, |server| {
        server.send(&[Frame::settings(&[(setting::MAX_FRAME_SIZE, 16_384); 100])])?;
        server.flush()
    });
    ends_by(Limit::WindowUpdates, CALL, |server| server.repeat(20_000, |_, _| [Frame::window_update(0, 1)]));
    ends_by(Limit::IgnoredFrames, CALL, |server| {
        server.repeat(20_000, |_, _| [Frame::new(0xfa, 0, 0, "what?")])
    });
    ends_by(Limit::Priorities, CALL, |server| server.repeat(20_000, |_, _| [Frame::priority(1, 0, 1)]));
}

#[test]
fn a_server_may_not_say_again_and_again_that_it_leaves() {
    ends_by(Limit::IgnoredFrames, CALL, |server| {
        server.repeat(20_000, |_, _| [Frame::goaway(1, code::NO_ERROR).octets([b'.'; 64])])
    });
}

#[test]
fn a_server_may_not_send_content_without_content() {
    ends_by(Limit::EmptyFrames, CALL, |server| {
        server.send(&[Frame::headers(1, Block::new().indexed(8))])?;
        server.repeat(20_000, |_, _| [Frame::data(1, [])])
    });
}

#[test]
fn a_server_may_not_send_informational_responses_without_end() {
    ends_by(Limit::IgnoredFrames, CALL, |server| {
        let early = Block::of(&[(":status", "103")]);
        server.repeat(20_000, |_, _| [Frame::headers(1, &early)])
    });
}

#[test]
fn a_server_may_not_send_header_blocks_without_end_or_measure() {
    ends_by(Limit::Continuations, CALL, |server| {
        server.send(&[Frame::headers(1, Block::new().indexed(8)).unfinished()])?;
        server.repeat(20_000, |_, _| [Frame::continuation(1, Block::of(&[("x", "y")])).unfinished()])
    });
    ends_by(Limit::HeaderBlock, CALL, |server| {
        let bomb = Block::new().indexed(8).incremental("x", "y".repeat(3_900));
        let bomb = (0..10_000).fold(bomb, |bomb, _| bomb.indexed(62));
        server.send(&[Frame::headers(1, bomb)])?;
        server.flush()
    });
}

#[test]
fn a_server_may_not_reset_call_after_call() {
    ends_by(Limit::PeerResets, Habit::Calls(10), |server| {
        // The client makes a new call for each, and a call follows on the last one.
        for index in 0..5_000u32 {
            let wanted = u64::from(index) + 1;
            server.wait_for(Duration::from_secs(2), |seen| seen.headers >= wanted)?;
            server.send(&[Frame::rst_stream(2 * index + 1, code::INTERNAL_ERROR)])?;
            server.flush()?;
        }
        Flow::Continue(())
    });
}

#[test]
fn a_server_may_not_answer_call_after_call_with_what_is_none() {
    ends_by(Limit::LocalResets, Habit::Calls(10), |server| {
        for index in 0..5_000u32 {
            let wanted = u64::from(index) + 1;
            server.wait_for(Duration::from_secs(2), |seen| seen.headers >= wanted)?;
            server.send(&[Frame::headers(2 * index + 1, Block::of(&[("Upper", "case")])).end_stream()])?;
            server.flush()?;
        }
        Flow::Continue(())
    });
}

#[test]
fn a_server_may_not_push() {
    let (record, session) = served_by(CALL, |server| {
        let promise = Block::new().indexed(2).indexed(6).indexed(4);
        server.send(&[Frame::push_promise(1, 2, promise)])?;
        server.flush()
    });
    let code = session.seen.goaway.map(|(code, _)| code);
    assert_eq!(code, Some(ErrorCode::PROTOCOL_ERROR.0));
    assert!(matches!(record.end, Some(Ending::Error(ConnectionError::Protocol { .. }))), "{:?}", record.end);
}

/// Answers that were complete before the server knew of the resets.
fn late_answers(count: usize) {
    is_borne(Habit::CancelsAll(count), |server| {
        server.wait_for(Duration::from_secs(5), |seen| seen.headers >= count as u64)?;
        let trailers = Block::of(&[("grpc-status", "0")]);
        server.repeat(count as u32, |_, index| {
            let stream = 2 * index + 1;
            [
                Frame::headers(stream, Block::new().indexed(8)),
                Frame::data(stream, [0; 10]),
                Frame::headers(stream, &trailers).end_stream(),
            ]
        })
    });
}

#[test]
fn answers_of_three_hundred_calls_may_come_after_they_were_cancelled() {
    late_answers(300);
}

#[test]
fn answers_of_a_thousand_calls_may_come_after_they_were_cancelled() {
    late_answers(1_000);
}

#[test]
fn answers_of_more_calls_than_are_remembered_may_come_after_they_were_cancelled() {
    late_answers(2_000);
}

#[test]
fn small_messages_of_a_stream_may_come_after_it_was_cancelled() {
    // 5,000 messages of 10 octets are within the window of the stream.
    is_borne(Habit::CancelsOnData, |server| {
        server.send(&[Frame::headers(1, Block::new().indexed(8))])?;
        server.repeat(5_000, |_, _| [Frame::data(1, [0; 10])])
    });
}

// As grpc-go does with all that it receives: a PING, unless one is on its way.
#[test]
fn a_server_that_measures_the_bandwidth_may_ping_after_each_data_frame() {
    is_borne(Habit::Uploads, |server| {
        for index in 1..=2_000u64 {
            server.wait_for(Duration::from_secs(5), |seen| seen.data >= index << 12)?;
            server.send(&[
                Frame::ping(index.to_be_bytes()),
                Frame::window_update(0, 4 << 10),
                Frame::window_update(1, 4 << 10),
            ])?;
            server.flush()?;
            server.wait_for(Duration::from_secs(5), |seen| seen.pongs >= index)?;
        }
        Flow::Continue(())
    });
}
