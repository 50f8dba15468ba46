//! Header blocks that cost more than they should, or are not what they seem.

use std::ops::ControlFlow;
use std::time::Duration;

use dunlin_testkit::http2::{Block, Frame};

use crate::session::{Flow, Session};

/// HEADERS, and CONTINUATION frames without an end.
fn continued(session: &mut Session, count: u32, fragment: &Block) -> Flow {
    let stream = session.next_stream();
    session.send(&[session.request(stream).end_stream().unfinished()])?;
    session.repeat(count, |_, _| [Frame::continuation(stream, fragment).unfinished()])
}

pub(super) fn small(session: &mut Session) -> Flow {
    continued(session, 20_000, &Block::new().literal("x", "y"))
}

pub(super) fn empty_continuations(session: &mut Session) -> Flow {
    continued(session, 20_000, &Block::new())
}

pub(super) fn large(session: &mut Session) -> Flow {
    continued(session, 2_000, &Block::new().literal("x", "y".repeat(16_000)))
}

/// Within all limits but one: it takes too long.
pub(super) fn never_ending(session: &mut Session) -> Flow {
    continued(session, 2, &Block::new().literal("x", "y"))
}

/// A frame whose end does not come.
pub(super) fn cut(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    let mut octets = session.request(stream).announcing(16_000).to_bytes();
    octets.truncate(40);
    session.raw(&octets)?;
    session.frames += 1;
    session.flush()
}

/// What a table entry of nearly 4 KiB is called for.
fn entry(session: &mut Session) -> Flow {
    let stream = session.next_stream();
    let block = session.request_block(&session.path).incremental("x", "y".repeat(3_900));
    session.send(&[Frame::headers(stream, block).end_stream()])
}

fn references(session: &mut Session, requests: u32, count: usize) -> Flow {
    entry(session)?;
    session.repeat(requests, |session, _| {
        let stream = session.next_stream();
        let block = (0..count).fold(session.request_block(&session.path), |block, _| block.indexed(62));
        [Frame::headers(stream, block).end_stream()]
    })
}

/// 16,000 octets that stand for 60 MiB.
pub(super) fn bomb(session: &mut Session) -> Flow {
    references(session, 20, 16_000)
}

/// Above what servers take as a rule, and below what they lose their temper for.
pub(super) fn list_size(session: &mut Session) -> Flow {
    references(session, 5_000, 20)
}

pub(super) fn count(session: &mut Session) -> Flow {
    let fields = (0..1_000).fold(Block::new(), |block, _| block.literal("x", ""));
    session.repeat(2_000, |session, _| {
        let stream = session.next_stream();
        let block = session.request_block(&session.path).then(&fields);
        [Frame::headers(stream, block).end_stream()]
    })
}

pub(super) fn empty_names(session: &mut Session) -> Flow {
    let fields = (0..50).fold(Block::new(), |block, _| block.literal("", ""));
    session.repeat(5_000, |session, _| {
        let stream = session.next_stream();
        let block = session.request_block(&session.path).then(&fields);
        [Frame::headers(stream, block).end_stream()]
    })
}

/// HEADERS without a single field, that do not end their stream.
pub(super) fn empty(session: &mut Session) -> Flow {
    session.repeat(10_000, |session, _| {
        let stream = session.next_stream();
        [Frame::headers(stream, []), Frame::headers(stream, [])]
    })
}

/// Fields that a gateway to HTTP/1 would turn into other requests. Each is to be refused.
pub(super) fn smuggling(session: &mut Session) -> Flow {
    let path = session.path.clone();
    let with = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = [
        with("x", "a\r\nhost: other"),
        with("x", "a\nb"),
        with("x", "a\rb"),
        with("x", "a\0b"),
        with("x\r\nhost", "other"),
        with("x\0", "a"),
        with("x:", "a"),
        with("x: a", "b"),
        with("x y", "a"),
        with(":other", "a"),
        with("transfer-encoding", "chunked"),
        with("connection", "close"),
        with("upgrade", "h2c"),
        with("X", "a"),
        with("x\u{7f}", "a"),
    ];
    for (name, value) in &fields {
        let stream = session.next_stream();
        let block = session.request_block(&path).literal(name, value);
        session.send(&[Frame::headers(stream, block).end_stream()])?;
    }
    for path in ["/a\r\nhost: other", "/ HTTP/1.1", "/\0", ""] {
        let stream = session.next_stream();
        session.send(&[Frame::headers(stream, session.request_block(path)).end_stream()])?;
    }
    let sent = session.frames;
    match session.wait_for(Duration::from_secs(2), |seen| seen.faults() >= sent) {
        // A server may answer some with a status instead.
        ControlFlow::Continue(()) => ControlFlow::Continue(()),
        stop => stop,
    }
}
