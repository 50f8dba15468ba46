//! What has to happen in time.

use std::time::{Duration, Instant};

use super::Connection;
use crate::abuse::{Limit, Patience};
use crate::error::{ConnectionError, StreamFault};

/// The deadlines of a connection.
#[derive(Debug)]
pub(super) struct Timeouts {
    /// For the preface, and for the acknowledgement of our first SETTINGS.
    handshake: Option<Instant>,
    is_preface_done: bool,
    /// For the answer to the PING of a shutdown.
    drain: Option<Instant>,
    /// The next look at streams that have something to send.
    stalls: Option<Instant>,
    is_watching: bool,
    /// Looks at output that waits, and the octets that had been written then.
    output: (u8, u64),
    /// A frame has begun, and its end has not come.
    pub(super) cut_since: Option<Instant>,
}

/// After so long without an answer to its PING, a shutdown goes on: the peer had its round trip.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Looks at a stream without progress until it is reset.
const LOOKS: u8 = 4;

impl Timeouts {
    pub(super) fn new(patience: &Patience, now: Instant) -> Self {
        Self {
            handshake: Some(now + patience.handshake),
            is_preface_done: false,
            drain: None,
            stalls: None,
            is_watching: false,
            output: (0, 0),
            cut_since: None,
        }
    }

    pub(super) fn preface_done(&mut self, is_acknowledged: bool) {
        self.is_preface_done = true;
        if is_acknowledged {
            self.handshake = None;
        }
    }

    pub(super) fn handshake_done(&mut self) {
        self.handshake = None;
    }

    pub(super) fn drain_begins(&mut self, now: Instant) {
        self.drain = Some(now + DRAIN_TIMEOUT);
    }

    pub(super) fn drain_ends(&mut self) {
        self.drain = None;
    }

    /// Something waits to be sent.
    pub(super) fn watch_stalls(&mut self) {
        self.is_watching = true;
    }
}

impl Connection {
    /// When [`handle_timeout`](Self::handle_timeout) is to be called, unless something else happens
    /// before.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        self.timeouts.is_watching |= !self.output.is_empty();
        if self.timeouts.is_watching && self.timeouts.stalls.is_none() {
            self.timeouts.stalls = Some(now + self.config.patience.send_stall / LOOKS.into());
        }
        let mut soonest = self.timeouts.handshake;
        for deadline in
            [self.timeouts.drain, self.timeouts.stalls, self.block_deadline(), self.keepalive_deadline()]
        {
            soonest = earlier(soonest, deadline);
        }
        soonest
    }

    /// Looks at what had to happen until `now`. Events may follow.
    ///
    /// # Errors
    /// The peer has taken too long. GOAWAY waits to be written.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if self.is_closed() {
            return Ok(());
        }
        let result = self.check_time(now);
        if let Err(error) = &result {
            self.fail(error);
        }
        result
    }

    /// For the end of a header block, or of a frame that could be one.
    fn block_deadline(&self) -> Option<Instant> {
        let since = self.block.as_ref().map(|block| block.since).or(self.timeouts.cut_since)?;
        Some(since + self.config.patience.header_block)
    }

    fn check_time(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let patience = self.config.patience;
        if self.timeouts.handshake.is_some_and(|deadline| deadline <= now) {
            let what = match self.timeouts.is_preface_done {
                true => "the acknowledgement of SETTINGS",
                false => "the connection preface",
            };
            return Err(ConnectionError::Timeout { what, allowed: patience.handshake });
        }
        if self.block_deadline().is_some_and(|deadline| deadline <= now) {
            let allowed = u64::try_from(patience.header_block.as_millis()).unwrap_or(u64::MAX);
            return Err(self.abuse.exceeded(Limit::HeaderBlockTimeout, allowed));
        }
        if self.timeouts.drain.is_some_and(|deadline| deadline <= now) {
            self.drained();
        }
        if self.timeouts.stalls.is_some_and(|deadline| deadline <= now) {
            self.look_for_stalls(now)?;
        }
        self.keep_alive(now)
    }

    fn look_for_stalls(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let (_, written) = self.output.totals();
        let (looks, before) = self.timeouts.output;
        self.timeouts.output =
            (if written == before && !self.output.is_empty() { looks + 1 } else { 0 }, written);
        if self.timeouts.output.0 > LOOKS {
            let what = "the peer to read what is sent";
            return Err(ConnectionError::Timeout { what, allowed: self.config.patience.send_stall });
        }
        let (mut stalled, mut is_any_queued) = (Vec::new(), !self.output.is_empty());
        for (key, stream) in self.streams.iter_mut() {
            if stream.queue.is_none() {
                stream.stalls = 0;
                continue;
            }
            is_any_queued = true;
            stream.stalls += 1;
            if stream.stalls > LOOKS {
                stalled.push(key);
            }
        }
        self.timeouts.is_watching = is_any_queued;
        self.timeouts.stalls = is_any_queued.then(|| now + self.config.patience.send_stall / LOOKS.into());
        stalled.into_iter().try_for_each(|key| self.fault(now, key, StreamFault::Stalled))
    }
}

/// The earlier of two times. Most are not set, and asked for in every turn.
#[inline(always)]
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, None) => a,
        (None, b) => b,
    }
}
