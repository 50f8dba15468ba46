//! What a connection holds, and what it does without while memory is short.

use super::{Connection, Phase, Role};
use crate::abuse::Limit;
use crate::error::ConnectionError;

/// How short the memory is that connections share, for one of them. Complete by definition: each
/// includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// There is enough.
    #[default]
    None,
    /// Windows grow no more.
    KeepWindows,
    /// The window of the connection goes back to what `connection_window_size` says, as content is
    /// released.
    ShrinkWindows,
    /// New streams are refused, with REFUSED_STREAM.
    RefuseStreams,
}

/// What the application makes a connection hold, in bytes. The sums are kept, so that asking for them
/// costs nothing however many streams there are.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Queued on streams, behind their windows.
    pub(super) queued: usize,
    /// Content that was given to the application, and not released.
    pub(super) received: usize,
    /// The header lists of requests that are not finished, which the application may keep.
    pub(super) requests: usize,
}

impl Connection {
    /// Bytes of memory that this connection costs: what the engine [holds](Self::memory), payloads that
    /// wait to be sent, and what the application got and has not released. Takes no time.
    ///
    /// Payloads count in full, also those that share their memory with others.
    pub fn held(&self) -> usize {
        self.memory() + self.output.payload_len() + self.held_by_streams()
    }

    #[inline]
    fn held_by_streams(&self) -> usize {
        match self.phase {
            // Who gets to see the end of a connection lets go of its streams.
            Phase::Closed => 0,
            _ => self.held.queued + self.held.received + self.held.requests,
        }
    }

    /// Says how short memory is, for the time to come.
    pub fn set_memory_pressure(&mut self, pressure: Pressure) {
        if pressure >= Pressure::ShrinkWindows {
            self.receive_window.shrink(self.config.connection_window_size as i32);
            self.output.shrink();
        }
        self.pressure = pressure;
    }

    /// Ends the connection, as memory is used up and it has more than its part. GOAWAY waits to be
    /// written; what is queued on streams is lost.
    ///
    /// Returns why: [`Limit::ServerMemory`], whose value is `max_memory`, in bytes.
    #[cold]
    pub fn exceed_memory(&mut self, max_memory: usize) -> ConnectionError {
        let error = self.abuse.exceeded(Limit::ServerMemory, max_memory as u64);
        self.fail(&error);
        error
    }

    /// A server ends a connection that holds more than `max_connection_memory`, and takes no more
    /// streams above the half of it. What a client queues is its own doing.
    #[inline]
    pub(super) fn check_memory(&mut self) -> Result<(), ConnectionError> {
        if self.role == Role::Client || self.phase == Phase::Closed {
            return Ok(());
        }
        let (held, most) = (self.output.len() + self.held_by_streams(), self.config.max_connection_memory);
        self.is_heavy = held > most / 2;
        if held > most {
            return Err(self.abuse.exceeded(Limit::ConnectionMemory, most as u64));
        }
        Ok(())
    }

    /// Whether there is no memory for one more stream.
    pub(super) fn is_out_of_memory(&self) -> bool {
        self.is_heavy || self.pressure == Pressure::RefuseStreams
    }
}
