//! Streams that end as soon as they have begun.

use dunlin_testkit::http2::{Block, Frame, code};

use crate::session::{Flow, Session};

/// The server works for nothing, and never has many streams open.
pub(super) fn rapid(session: &mut Session) -> Flow {
    session.repeat(10_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream), Frame::rst_stream(stream, code::CANCEL)]
    })
}

pub(super) fn rapid_ended(session: &mut Session) -> Flow {
    session.repeat(10_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream).end_stream(), Frame::rst_stream(stream, code::CANCEL)]
    })
}

pub(super) fn refused(session: &mut Session) -> Flow {
    session.repeat(10_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream)]
    })
}

/// A request, and a frame that makes the server reset it.
fn made(session: &mut Session, fault: impl Fn(&Session, u32) -> Frame) -> Flow {
    session.repeat(5_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream), fault(session, stream)]
    })
}

pub(super) fn window_zero(session: &mut Session) -> Flow {
    made(session, |_, stream| Frame::window_update(stream, 0))
}

pub(super) fn window_overflow(session: &mut Session) -> Flow {
    made(session, |_, stream| Frame::window_update(stream, 0x7fff_ffff))
}

pub(super) fn priority_length(session: &mut Session) -> Flow {
    made(session, |_, stream| Frame::priority(stream, 0, 0).resized(4))
}

pub(super) fn self_dependency(session: &mut Session) -> Flow {
    made(session, |_, stream| Frame::priority(stream, stream, 0))
}

pub(super) fn content_length(session: &mut Session) -> Flow {
    session.repeat(5_000, |session, _| {
        let stream = session.next_stream();
        let block = session.request_block(&session.path).literal("content-length", "1");
        [Frame::headers(stream, block), Frame::data(stream, "too long").end_stream()]
    })
}

pub(super) fn headers_after_end(session: &mut Session) -> Flow {
    session.repeat(5_000, |session, _| {
        let stream = session.next_stream();
        let request = session.request(stream).end_stream();
        [request.clone(), request]
    })
}

pub(super) fn data_after_end(session: &mut Session) -> Flow {
    session.repeat(5_000, |session, _| {
        let stream = session.next_stream();
        [session.request(stream).end_stream(), Frame::data(stream, "late")]
    })
}

/// Requests that are none: the answers are resets.
pub(super) fn malformed(session: &mut Session) -> Flow {
    session.repeat(10_000, |session, _| {
        let stream = session.next_stream();
        let block = session.request_block(&session.path).then(&Block::new().literal("Upper", "case"));
        [Frame::headers(stream, block).end_stream()]
    })
}
