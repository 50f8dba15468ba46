//! The task of a connection: it reads, lets the engine and the application work, and writes.
//!
//! A turn takes in all that can be had without waiting before it writes, so that one read brings many
//! frames and one write takes many answers away. Nothing is held back by a timer.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use dunlin_http2::{Connection, ConnectionError, ErrorCode, Event, Limit, Pressure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;
use tokio::time::Sleep;
use tracing::debug;

use crate::ledger::{Account, Ledger};
use crate::operations::{Handle, Operations};

/// What runs on a connection: a server or a client. All methods are called from the connection's
/// task, one at a time, and none may block.
pub trait ConnectionHandler {
    /// What [`Handle::submit`] takes to the connection.
    type Operation;

    /// Something happened. Data in the event is only there for the time of the call.
    fn event(&mut self, connection: &mut Connection, event: Event<'_>, now: Instant);

    /// Someone has submitted an operation.
    fn operation(&mut self, connection: &mut Connection, operation: Self::Operation, now: Instant);

    /// Once in a turn, after all events and operations and before the output is written: the place to
    /// poll what is at work for this connection alone.
    fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>, now: Instant) {
        let _ = (connection, cx, now);
    }

    /// When [`Self::timeout`] is to be called.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Self::poll_timeout`] has come.
    fn timeout(&mut self, connection: &mut Connection, now: Instant) {
        let _ = (connection, now);
    }

    /// Bytes that it holds for the connection beyond what the engine
    /// [counts](dunlin_http2::Connection::held), such as messages that are put together. Asked for once in
    /// a turn, so it has to be a number that is kept.
    fn memory(&self) -> usize {
        0
    }

    /// The connection has ended. Its counters can be read for the last time. What was submitted and not
    /// taken follows as [`refused`](Self::refused).
    fn closed(&mut self, connection: &Connection, reason: &CloseReason) {
        let _ = (connection, reason);
    }

    /// An operation that came too late: the connection had ended.
    fn refused(&mut self, operation: Self::Operation) {
        drop(operation);
    }
}

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// A graceful shutdown is complete, or we have closed the connection.
    #[error("the connection was shut down")]
    Shutdown,
    /// The peer has closed the transport.
    #[error("the peer has closed the connection")]
    ByPeer,
    /// The peer broke the protocol, or a limit.
    #[error("the peer broke the protocol")]
    Protocol(#[source] ConnectionError),
    /// The peer is gone without a word, or what lies between.
    #[error("the peer does not answer")]
    Unresponsive(#[source] ConnectionError),
    /// The transport failed.
    #[error("the transport failed")]
    Io(#[from] io::Error),
}

impl From<ConnectionError> for CloseReason {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::Keepalive { .. } => Self::Unresponsive(error),
            error => Self::Protocol(error),
        }
    }
}

/// Bytes that one read may bring. Connections share the buffer of their thread, so that idle ones hold
/// none.
const READ_BUFFER: usize = 64 << 10;
/// While so many bytes wait that the peer does not take, nothing more is read from it. Content waits on
/// its stream long before; this is for what answers the peer (RFC 9113 §10.5).
const OUTPUT_LIMIT: usize = 512 << 10;
/// Slices that one write takes.
const SLICES: usize = 64;
/// After so long without streams a connection gives its buffers back.
const IDLE: Duration = Duration::from_secs(1);
/// Buffers of so many bytes an idle connection keeps, as those of small messages are.
const KEPT: usize = 4 << 10;
/// Bytes that a turn may read, or write, and be one that changes little.
const SMALL: usize = 512;
/// How often a sleeping connection that holds much looks whether others need it.
const LOOK: Duration = Duration::from_secs(1);
/// How long the peer may take to read what was left to write when the connection ended.
const FLUSH: Duration = Duration::from_secs(5);
/// How long the peer may take to close its side after us, so that it gets to read our GOAWAY.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Takes the thread's buffer for as long as it lives.
struct Buffer(Option<Box<[u8]>>);

impl Buffer {
    fn take() -> Self {
        let buffer = BUFFER.try_with(Cell::take).ok().flatten();
        Self(Some(buffer.unwrap_or_else(|| vec![0; READ_BUFFER].into_boxed_slice())))
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let _ = BUFFER.try_with(|cell| cell.set(self.0.take()));
    }
}

/// Drives one connection over a transport, as a future that ends with it. Spawn it, or poll it in a
/// task of your own.
///
/// Dropping it closes the transport without a GOAWAY.
#[derive(Debug)]
#[must_use = "a connection makes progress only while it is polled"]
pub struct Driver<S, H: ConnectionHandler> {
    io: S,
    connection: Connection,
    handler: H,
    operations: Operations<H::Operation>,
    batch: Vec<H::Operation>,
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
    /// `rest` has not been looked at.
    is_unread: bool,
    timer: Option<Timer>,
    account: Option<Account>,
    idle: Idle,
    /// Bytes that may come or go before it is looked again at what the connection holds: at the last look, it had no
    /// streams, and little else. See [`Self::is_quiet`].
    quiet_for: usize,
    stage: Stage,
}

/// How long nothing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    Busy,
    Since(Instant),
    /// Long enough that all is given back.
    Long,
}

#[derive(Debug)]
enum Stage {
    Running,
    /// What is to be written goes out first; what is read is thrown away.
    Flushing(CloseReason),
    /// Our side is closed. The peer may still read, until it closes its own.
    Lingering(CloseReason),
    Ended,
}

impl<S, H> Driver<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: ConnectionHandler + Unpin,
    H::Operation: Unpin,
{
    /// A driver, and the handle by which others reach the connection.
    pub fn new(io: S, connection: Connection, handler: H) -> (Handle<H::Operation>, Self) {
        let (handle, operations) = Operations::new();
        let driver = Self {
            io,
            connection,
            handler,
            operations,
            batch: Vec::new(),
            rest: Vec::new(),
            is_unread: false,
            timer: None,
            account: None,
            idle: Idle::Busy,
            quiet_for: 0,
            stage: Stage::Running,
        };
        (handle, driver)
    }

    /// The same, with the operations made before, so that the handler can have the handle.
    pub fn with_operations(
        io: S,
        connection: Connection,
        handler: H,
        operations: Operations<H::Operation>,
    ) -> Self {
        let (_, driver) = Self::new(io, connection, handler);
        Self { operations, ..driver }
    }

    /// Bytes that were read behind the head of a connection by someone who looked at it first.
    pub fn with_read(mut self, bytes: &[u8]) -> Self {
        self.rest = bytes.to_vec();
        self.is_unread = !bytes.is_empty();
        self
    }

    /// Lets the connection share memory with others.
    pub fn with_ledger(mut self, ledger: &Ledger) -> Self {
        self.account = Some(ledger.open());
        self
    }

    /// Takes turns until there is nothing to do without waiting.
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        // One look at the clock is enough: the runtime lets no task go on for long.
        let now = tokio::time::Instant::now().into_std();
        self.operations.take(&mut self.batch);
        loop {
            match self.turn(cx, now) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => return Poll::Pending,
                Err(reason) => return Poll::Ready(reason),
            }
        }
    }

    /// `Pending` if there is nothing to do without waiting.
    fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Poll<()>, CloseReason> {
        if !self.batch.is_empty() {
            self.quiet_for = 0;
            for operation in self.batch.drain(..) {
                self.handler.operation(&mut self.connection, operation, now);
            }
        }
        let mut is_waiting = true;
        if self.connection.output_mut().len() < OUTPUT_LIMIT {
            is_waiting = self.read(cx, now)?.is_pending();
        }
        self.handler.poll(&mut self.connection, cx, now);
        let was_full = self.connection.output_mut().len() >= OUTPUT_LIMIT;
        // Who was told something may want its poll.
        is_waiting &= !self.write(cx, now)?;
        // Then nobody has asked for what there is to read.
        is_waiting &= !(was_full && self.connection.output_mut().len() < OUTPUT_LIMIT);
        if self.connection.is_closed() {
            return Err(CloseReason::Shutdown);
        }
        // What the turn itself has submitted needs no wake-up.
        self.operations.take_or_park(cx, &mut self.batch);
        if !is_waiting || !self.batch.is_empty() {
            return Ok(Poll::Ready(()));
        }
        // The runtime lets no task go on for long, so this comes soon on a busy connection as well.
        if !self.is_quiet() {
            let pressure = self.account()?;
            self.quiet_for = if pressure == Pressure::None && self.has_little() { KEPT } else { 0 };
        }
        self.wait(cx, now)
    }

    /// Reads what there is, and hands on all events out of it. `Pending` if there is nothing more to read,
    /// and the transport wakes the task when there is; `Ready` if there may be more, and what was read is to
    /// be answered first.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Poll<()>, CloseReason> {
        if std::mem::take(&mut self.is_unread) {
            let held = std::mem::take(&mut self.rest);
            self.take_in(&held, now)?;
            return Ok(Poll::Ready(()));
        }
        let mut buffer = Buffer::take();
        let mut left = READ_BUFFER;
        loop {
            let bytes = buffer.bytes();
            let held = self.rest.len();
            // Frames that are not taken as they come are far smaller than the buffer, unless
            // `max_frame_size` says otherwise.
            let mut large;
            let target = if held <= bytes.len() / 2 {
                bytes
            } else {
                large = vec![0; held + READ_BUFFER];
                &mut large[..]
            };
            target[..held].copy_from_slice(&self.rest);
            let mut read = ReadBuf::new(&mut target[held..]);
            if Pin::new(&mut self.io).poll_read(cx, &mut read).map_err(CloseReason::Io)?.is_pending() {
                return Ok(Poll::Pending);
            }
            let count = read.filled().len();
            let is_filled = read.remaining() == 0;
            if count == 0 {
                return Err(CloseReason::ByPeer);
            }
            self.idle = Idle::Busy;
            self.moved(count);
            self.take_in(&target[..held + count], now)?;
            // Where a buffer was not filled there is most likely nothing more. To be told so now costs no system
            // call, and saves a turn.
            left = left.saturating_sub(count);
            if is_filled || left == 0 || self.connection.output_mut().len() >= OUTPUT_LIMIT {
                return Ok(Poll::Ready(()));
            }
        }
    }

    /// All events out of `bytes`; what is left of them stands before what is read next.
    fn take_in(&mut self, bytes: &[u8], now: Instant) -> Result<(), CloseReason> {
        let mut input = bytes;
        self.events(&mut input, now)?;
        self.rest.clear();
        self.rest.extend_from_slice(input);
        Ok(())
    }

    /// Hands on all events out of `input`.
    fn events(&mut self, input: &mut &[u8], now: Instant) -> Result<(), CloseReason> {
        while let Some(event) = self.connection.poll_event(now, input)? {
            self.handler.event(&mut self.connection, event, now);
        }
        Ok(())
    }

    /// Hands on what the connection tells without input. Whether there was anything.
    fn told(&mut self, now: Instant) -> Result<bool, CloseReason> {
        let is_any = self.connection.has_events();
        if is_any {
            self.events(&mut &[][..], now)?;
        }
        Ok(is_any)
    }

    /// Writes what there is, with as few calls as it takes. If the transport takes no more, it wakes the task
    /// when it does. Whether the application was told something, such as that there is room again.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<bool, CloseReason> {
        let mut is_any_told = self.told(now)?;
        loop {
            // The application may use the room.
            loop {
                self.connection.transmit(now)?;
                if !self.told(now)? {
                    break;
                }
                is_any_told = true;
            }
            let waiting = self.connection.output_mut().len();
            self.moved(waiting);
            let flushed = flush(&mut self.io, &mut self.connection, cx).map_err(CloseReason::Io)?;
            let is_done = !self.connection.has_more() && self.connection.output_mut().is_empty();
            if flushed.is_pending() || is_done {
                return Ok(is_any_told);
            }
        }
    }

    /// So many bytes have come, or are to go: buffers may have grown with them.
    fn moved(&mut self, bytes: usize) {
        self.quiet_for = match bytes {
            0..=SMALL => self.quiet_for.saturating_sub(bytes),
            _ => 0,
        };
    }

    /// Whether a look at what is held would tell what the last one told, to a few KiB: there are no streams, nothing
    /// waits, and little has come or gone since. Requests that come one by one are answered within their turns, and need
    /// not pay for it each time.
    fn is_quiet(&mut self) -> bool {
        self.quiet_for > 0 && self.has_little()
    }

    /// Whether all that the connection has is what it keeps when it is idle.
    fn has_little(&mut self) -> bool {
        self.connection.stream_count() == 0
            && self.rest.is_empty()
            && self.handler.memory() == 0
            && self.connection.output_mut().is_empty()
            // A few octets can make much of what is in the table of header compression.
            && self.spare() <= KEPT
    }

    /// Bytes that an idle connection can give back.
    fn spare(&self) -> usize {
        let queued = self.batch.capacity() * size_of::<H::Operation>();
        self.connection.spare() + self.rest.capacity() + queued
    }

    /// Bytes that the connection costs.
    fn held(&self) -> usize {
        self.connection.held() + self.rest.capacity() + self.handler.memory()
    }

    /// Enters what is held into the ledger, and hears whether that is too much.
    fn account(&mut self) -> Result<Pressure, CloseReason> {
        if self.account.is_none() {
            return Ok(Pressure::None);
        }
        let held = self.held();
        let Some(account) = &mut self.account else { return Ok(Pressure::None) };
        match account.enter(held) {
            Ok(pressure) => {
                self.connection.set_memory_pressure(pressure);
                Ok(pressure)
            }
            Err(exceeded) => {
                debug!(%exceeded, "connection ended for want of memory");
                account.count_end();
                Err(self.connection.exceed_memory(exceeded.max_memory).into())
            }
        }
    }

    /// Sets the timer for the next deadline. `Ready` if one has passed and was handled.
    fn wait(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Poll<()>, CloseReason> {
        let has_work = self.connection.stream_count() > 0 || !self.rest.is_empty();
        let idle = match self.idle {
            _ if has_work => None,
            Idle::Long => None,
            // No timer, which each wake-up of the thread would cost more.
            Idle::Busy if self.quiet_for > 0 || self.spare() <= KEPT => None,
            Idle::Busy => {
                self.idle = Idle::Since(now);
                Some(now + IDLE)
            }
            Idle::Since(since) if since + IDLE > now => Some(since + IDLE),
            Idle::Since(_) => {
                self.connection.shrink();
                (self.rest, self.batch) = (Vec::new(), Vec::new());
                self.idle = Idle::Long;
                // One more turn tells the ledger.
                return Ok(Poll::Ready(()));
            }
        };
        let (of_engine, of_handler) = (self.connection.poll_timeout(now), self.handler.poll_timeout());
        let look = self.account.as_ref().filter(|account| account.is_large()).map(|_| now + LOOK);
        let Some(deadline) = [of_engine, of_handler, idle, look].into_iter().flatten().min() else {
            self.timer = None;
            return Ok(Poll::Pending);
        };
        if deadline <= now {
            self.connection.handle_timeout(now)?;
            if of_handler.is_some_and(|deadline| deadline <= now) {
                self.handler.timeout(&mut self.connection, now);
            }
            return Ok(Poll::Ready(()));
        }
        Ok(self.timer.get_or_insert_with(|| Timer::at(deadline)).wait_until(deadline, cx))
    }
}

/// Wakes the task in time.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The task that the runtime will wake, once it knows.
    task: Option<Waker>,
}

impl Timer {
    fn at(deadline: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(deadline.into())), task: None }
    }

    fn after(duration: Duration) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep(duration)), task: None }
    }

    /// `Pending` if the task will be woken at the deadline, or before.
    fn wait_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let is_late = self.sleep.deadline() > deadline.into();
        // A timer that fires early costs one turn; setting it in each turn would cost more.
        if is_late || self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(deadline.into());
            self.task = None;
        }
        // It is on its way, and need not be told again in each turn.
        if self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        // A task that has used up its time is told so before the runtime looks at the timer.
        self.task = coop::has_budget_remaining().then(|| cx.waker().clone());
        self.sleep.as_mut().poll(cx)
    }
}

/// Writes all output.
fn flush<S: AsyncWrite + Unpin>(
    io: &mut S,
    connection: &mut Connection,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !connection.output_mut().is_empty() {
        let output = connection.output_mut();
        let written = if let Some(bytes) = output.as_slice() {
            ready!(Pin::new(&mut *io).poll_write(cx, bytes))?
        } else {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = output.io_slices(&mut slices);
            ready!(Pin::new(&mut *io).poll_write_vectored(cx, &slices[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        connection.output_mut().advance(written);
    }
    Pin::new(io).poll_flush(cx)
}

impl<S, H> Future for Driver<S, H>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: ConnectionHandler + Unpin,
    H::Operation: Unpin,
{
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.stage, Stage::Ended) {
                Stage::Running => {
                    this.stage = Stage::Running;
                    let reason = ready!(this.run(cx));
                    this.connection.close(ErrorCode::NO_ERROR, "");
                    this.handler.closed(&this.connection, &reason);
                    let late = this.operations.close();
                    late.into_iter().for_each(|operation| this.handler.refused(operation));
                    let held = this.held();
                    if let Some(account) = &mut this.account {
                        // What was queued is gone, and there is nothing more to end.
                        let _ = account.enter(held);
                    }
                    this.timer = Some(Timer::after(FLUSH));
                    this.stage = match reason {
                        CloseReason::Io(_) => Stage::Lingering(reason),
                        reason => Stage::Flushing(reason),
                    };
                }
                Stage::Flushing(reason) => {
                    // What a peer does not take at once is what others need.
                    let is_memory_needed = matches!(
                        reason,
                        CloseReason::Protocol(ConnectionError::Abuse { limit: Limit::ServerMemory, .. })
                    );
                    // What one that does not answer leaves unread, it will not read.
                    let is_gone = matches!(reason, CloseReason::Unresponsive(_));
                    let is_late =
                        this.timer.as_mut().is_none_or(|timer| timer.sleep.as_mut().poll(cx).is_ready());
                    // A peer that waits for us to read what it sends would not read what we send.
                    let _ = this.drain(cx);
                    match flush(&mut this.io, &mut this.connection, cx) {
                        Poll::Pending if !is_late && !is_memory_needed && !is_gone => {
                            this.stage = Stage::Flushing(reason);
                            return Poll::Pending;
                        }
                        Poll::Ready(Ok(())) => {
                            this.timer = Some(Timer::after(LINGER));
                            this.stage = Stage::Lingering(reason);
                        }
                        _ => return Poll::Ready(reason),
                    }
                }
                Stage::Lingering(reason) => {
                    let is_over = matches!(
                        reason,
                        CloseReason::Io(_) | CloseReason::ByPeer | CloseReason::Unresponsive(_)
                    );
                    let is_late =
                        this.timer.as_mut().is_none_or(|timer| timer.sleep.as_mut().poll(cx).is_ready());
                    let closed = Pin::new(&mut this.io).poll_shutdown(cx);
                    if is_over || is_late || (closed.is_ready() && this.drain(cx).is_ready()) {
                        return Poll::Ready(reason);
                    }
                    this.stage = Stage::Lingering(reason);
                    return Poll::Pending;
                }
                Stage::Ended => return Poll::Ready(CloseReason::Shutdown),
            }
        }
    }
}

impl<S: AsyncRead + Unpin, H: ConnectionHandler> Driver<S, H> {
    /// Reads what the peer still sends, so that the transport is not reset before it has read ours.
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = Buffer::take();
        loop {
            let mut read = ReadBuf::new(buffer.bytes());
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(all(test, not(dunlin_loom)))]
mod tests;
