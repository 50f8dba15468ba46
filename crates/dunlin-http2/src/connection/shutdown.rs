//! The end of a connection (RFC 9113 §6.8).

use std::time::Instant;

use bytes::Bytes;

use super::{Connection, Phase, Role};
use crate::abuse::Limit;
use crate::error::{ConnectionError, ErrorCode, ResetReason};
use crate::event::Event;
use crate::frame::{self, StreamId, u32_at};

/// What the PING of a shutdown carries.
pub(super) const DRAIN: [u8; 8] = *b"shutdown";

/// How far a shutdown has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    Open,
    /// Told that we go away, and not yet from which stream on: what the peer has sent in the meantime
    /// is still taken.
    Announced,
    /// Nothing new is taken. The connection ends with its last stream.
    Final,
    /// The peer goes away: nothing new can be opened.
    ByPeer,
}

impl Shutdown {
    pub(super) fn is_open(self) -> bool {
        self == Self::Open
    }

    pub(super) fn is_final(self) -> bool {
        self == Self::Final
    }
}

impl Connection {
    /// Begins a graceful end: a server tells the client in two steps, so that no request that is on
    /// its way is lost, and takes what still arrives; a client opens no more streams. The connection
    /// [is closed](Self::is_closed) once the last stream has ended.
    pub fn shut_down(&mut self, now: Instant) {
        self.shut_down_for(now, "");
    }

    /// The same, and says why in the text of GOAWAY, which people read.
    pub fn shut_down_for(&mut self, now: Instant, debug: &'static str) {
        if self.phase == Phase::Closed || matches!(self.shutdown, Shutdown::Announced | Shutdown::Final) {
            return;
        }
        self.shutdown = Shutdown::Announced;
        self.goaway_text = debug;
        if self.role == Role::Client {
            self.drained();
            return;
        }
        self.output.write(|out| {
            frame::write_goaway(out, StreamId::MAX, ErrorCode::NO_ERROR, debug.as_bytes());
            frame::write_ping(out, 0, DRAIN);
        });
        self.timeouts.drain_begins(now);
    }

    /// A round trip has passed since the first GOAWAY, so the client knows.
    pub(super) fn drained(&mut self) {
        if self.shutdown != Shutdown::Announced || self.phase == Phase::Closed {
            return;
        }
        self.shutdown = Shutdown::Final;
        self.timeouts.drain_ends();
        let last = self.last_peer_stream;
        self.own_goaway = last;
        let debug = self.goaway_text.as_bytes();
        self.output.write(|out| frame::write_goaway(out, last, ErrorCode::NO_ERROR, debug));
        self.finish_drain();
    }

    /// Whether a shutdown has got to its second step: the last stream is settled, and the connection ends
    /// with those that are there.
    pub fn is_draining(&self) -> bool {
        self.shutdown.is_final() || self.phase == Phase::Closed
    }

    /// Closes at the end of a shutdown.
    pub(super) fn finish_drain(&mut self) {
        let is_ending = matches!(self.shutdown, Shutdown::Final | Shutdown::ByPeer);
        if is_ending && self.concurrent == 0 && self.streams.len() == 0 {
            self.phase = Phase::Closed;
        }
    }

    /// Ends the connection at once, with a GOAWAY that says why. What is queued on streams is lost.
    pub fn close(&mut self, code: ErrorCode, debug: &str) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.ready.clear();
        for (_, stream) in self.streams.iter_mut() {
            self.held.queued -= stream.drop_queue();
        }
        // RFC 9113 §6.8: never more than was said before.
        let last = self.last_peer_stream.min(self.own_goaway);
        self.output.write(|out| frame::write_goaway(out, last, code, debug.as_bytes()));
    }

    pub(super) fn goaway(&mut self, now: Instant, payload: &[u8]) -> Result<(), ConnectionError> {
        let Some((head, debug)) = payload.split_at_checked(8) else {
            return Err(ConnectionError::frame_size("GOAWAY shorter than eight octets (RFC 9113 6.8)"));
        };
        let last = StreamId::from_wire(u32_at(head, 0));
        let code = ErrorCode(u32_at(head, 4));
        self.abuse.spend(Limit::IgnoredFrames, now)?;
        if self.peer_goaway.is_some_and(|before| last > before) {
            return Err(ConnectionError::protocol(
                "GOAWAY with a higher identifier than before (RFC 9113 6.8)",
            ));
        }
        self.peer_goaway = Some(last);
        if !self.shutdown.is_final() && self.role == Role::Client {
            self.shutdown = Shutdown::ByPeer;
        }
        // A frame is bounded, and so is what is kept of it.
        let debug = Bytes::copy_from_slice(&debug[..debug.len().min(1024)]);
        self.events.push_back(Event::GoAway { last_stream: last, code, debug });
        if self.role == Role::Client {
            for key in self.streams.keys() {
                if key.id > last && self.end_by_reset(key) {
                    self.events.push_back(Event::Reset { stream: key, reason: ResetReason::NotProcessed });
                }
            }
            self.finish_drain();
        } else if self.shutdown.is_open() {
            // The client goes: what it has begun is finished, and that was all.
            self.shutdown = Shutdown::Announced;
            self.drained();
        }
        Ok(())
    }
}
