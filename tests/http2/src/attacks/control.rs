//! Frames about the connection that want an answer, or none.

use dunlin_testkit::http2::{Frame, code, setting};

use crate::session::{Flow, Session};

pub(super) fn pings(session: &mut Session) -> Flow {
    session.repeat(50_000, |_, index| [Frame::ping(u64::from(index).to_be_bytes())])
}

pub(super) fn pings_unread(session: &mut Session) -> Flow {
    session.is_reading = false;
    session.repeat(500_000, |_, index| [Frame::ping(u64::from(index).to_be_bytes())])
}

pub(super) fn settings(session: &mut Session) -> Flow {
    session.repeat(20_000, |_, _| [Frame::settings(&[])])
}

/// One frame with all that it holds.
pub(super) fn settings_entries(session: &mut Session) -> Flow {
    let entries = [(setting::MAX_HEADER_LIST_SIZE, 1 << 20); 2_700];
    session.repeat(20, |_, _| [Frame::settings(&entries)])
}

pub(super) fn priorities(session: &mut Session) -> Flow {
    session.repeat(50_000, |_, index| [Frame::priority(2 * index + 1, 2 * (index % 7), 7)])
}

pub(super) fn window_updates(session: &mut Session) -> Flow {
    session.repeat(50_000, |_, _| [Frame::window_update(0, 1)])
}

pub(super) fn window_updates_of_a_stream(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream)])?;
    session.repeat(50_000, |_, _| [Frame::window_update(stream, 1)])
}

pub(super) fn unknown(session: &mut Session) -> Flow {
    session.repeat(50_000, |_, index| [Frame::new(0xfa, 0, index & 0x7fff_ffff, "what?")])
}

pub(super) fn pongs(session: &mut Session) -> Flow {
    session.repeat(50_000, |_, index| [Frame::ping_ack(u64::from(index).to_be_bytes())])
}

/// The end of a stream that has ended already.
pub(super) fn resets_again(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream)])?;
    session.repeat(50_000, |_, _| [Frame::rst_stream(stream, code::CANCEL)])
}

/// A client that says again and again that it leaves, while a call goes on.
pub(super) fn goaways(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream)])?;
    session.repeat(50_000, |_, _| [Frame::goaway(0, code::NO_ERROR).octets([b'.'; 64])])
}
