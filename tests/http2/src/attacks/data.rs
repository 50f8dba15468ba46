//! Answers that are hard to get rid of, and content that is none.

use std::time::{Duration, Instant};

use dunlin_testkit::http2::{Frame, setting};

use crate::session::{Flow, Session, Stop};

/// A long answer, drained by the octet.
pub(super) fn dribble(session: &mut Session) -> Flow {
    let stream = session.ask_large()?;
    session.flush()?;
    session.wait_for(Duration::from_secs(1), |seen| seen.data >= 65_535)?;
    if session.seen.data == 0 {
        return Flow::Break(Stop::Impossible("no large answer"));
    }
    for _ in 0..10_000 {
        let data = session.seen.data;
        session.send(&[Frame::window_update(0, 1), Frame::window_update(stream, 1)])?;
        session.flush()?;
        session.wait_for(Duration::from_millis(50), |seen| seen.data > data)?;
    }
    Flow::Continue(())
}

/// Every stream of many gets an octet of its answer at a time.
pub(super) fn tiny_initial_window(session: &mut Session) -> Flow {
    session.send(&[Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1)])])?;
    let mut streams = Vec::new();
    for _ in 0..90 {
        streams.push(session.ask_large()?);
    }
    session.flush()?;
    session.wait_for(Duration::from_secs(1), |seen| seen.data >= 90)?;
    if session.seen.data == 0 {
        return Flow::Break(Stop::Impossible("no large answer"));
    }
    session.send(&[Frame::window_update(0, 1 << 20)])?;
    for _ in 0..200 {
        for stream in &streams {
            session.send(&[Frame::window_update(*stream, 1)])?;
        }
        let data = session.seen.data;
        session.flush()?;
        session.wait_for(Duration::from_millis(20), |seen| seen.data > data)?;
    }
    Flow::Continue(())
}

/// Windows as large as they can be, over a socket that is never read.
pub(super) fn never_read(session: &mut Session) -> Flow {
    if session.large.is_none() {
        return Flow::Break(Stop::Impossible("no large answer"));
    }
    session.send(&[
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)]),
        Frame::window_update(0, 0x7fff_0000),
    ])?;
    session.is_reading = false;
    for _ in 0..90 {
        session.ask_large()?;
    }
    session.flush()?;
    unread(session)
}

/// Small answers, each of them complete at once, that nobody takes.
pub(super) fn answers_unread(session: &mut Session) -> Flow {
    session.is_reading = false;
    session.repeat(400_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream).end_stream()]
    })?;
    unread(session)
}

/// Leaves the answers where they are, as long as the server bears it.
fn unread(session: &mut Session) -> Flow {
    // A frame now and then, of an unknown type, shows whether the server has closed, and keeps the
    // connection from being idle.
    session.extend(2 * session.patience);
    let until = Instant::now() + session.patience;
    while Instant::now() < until {
        session.send(&[Frame::new(0xfa, 0, 0, [])])?;
        session.flush()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Flow::Continue(())
}

/// The socket is filled first; then come all kinds of frames that want an answer.
pub(super) fn control_unread(session: &mut Session) -> Flow {
    if session.large.is_none() {
        return Flow::Break(Stop::Impossible("no large answer"));
    }
    session.send(&[
        Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0x7fff_ffff)]),
        Frame::window_update(0, 0x7fff_0000),
    ])?;
    session.is_reading = false;
    for _ in 0..20 {
        session.ask_large()?;
    }
    session.flush()?;
    std::thread::sleep(Duration::from_millis(300));
    session.repeat(190, |session, _| {
        let stream = session.next_stream();
        let block = session.request_block("no slash").literal("Upper", "case");
        [Frame::headers(stream, block)]
    })?;
    session.repeat(90, |_, _| [Frame::settings(&[])])?;
    session.repeat(900, |_, index| [Frame::ping(u64::from(index).to_be_bytes())])?;
    // A server that does not mind gets as much again, and more.
    session.repeat(20_000, |session, index| {
        let stream = session.next_stream();
        [session.request(stream), Frame::ping(u64::from(index).to_be_bytes())]
    })
}

pub(super) fn empty(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream)])?;
    session.repeat(20_000, |_, _| [Frame::data(stream, [])])
}

/// Nothing but padding.
pub(super) fn padding(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream)])?;
    session.repeat(20_000, |_, _| [Frame::data(stream, []).padded(0)])
}
