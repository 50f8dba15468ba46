//! The two directions of a call: what its user holds, and what its connection sees.
//!
//! The user's ends are [`Sender`](crate::Sender) and [`Receiver`](crate::Receiver). They may be on any
//! thread; what they share with the connection is here, and nobody waits while holding a lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::framing::{Frame, Outgoing, PREFIX_LEN};
use crate::intercept::{Counts, Direction, MessageRef};
use crate::{Encoding, Metadata, Status};

/// A call, as its halves see it: where their state is, and how its connection hears of them.
pub trait Host: Send + Sync + 'static {
    /// The state of both directions.
    fn halves(&self) -> &Halves;

    /// How messages are written; from now on that stays so.
    fn writing(&self) -> Writing;

    /// Tells the connection. This neither blocks nor calls back.
    fn signal(self: Arc<Self>, signal: Signal);

    /// Whether someone looks at the messages.
    fn is_observed(&self) -> bool {
        false
    }

    /// Shows a message to those who look.
    ///
    /// # Errors
    /// The status that it is refused with.
    fn observe(&self, direction: Direction, message: MessageRef<'_>) -> Result<(), Status> {
        let _ = (direction, message);
        Ok(())
    }
}

/// What a half has to tell its connection.
#[derive(Clone, Debug)]
pub enum Signal {
    /// There is something to send, or the end of it.
    Flush,
    /// So many bytes of messages were handed to the reader.
    Consumed(usize),
    /// The user holds no [`Receiver`](crate::Receiver) any longer; so many bytes were not read.
    ReceiverDropped(usize),
    /// The user holds no [`Sender`](crate::Sender) any longer, and did not finish.
    SenderDropped,
    /// A message could not be decoded, so the call is of no use anymore.
    Failed(Status),
}

/// A sender waits while so much of its stream is queued.
pub const SEND_QUEUE: usize = 64 << 10;

/// Both directions of one call.
#[derive(Debug, Default)]
pub struct Halves {
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Queue>,
}

/// How the messages of one direction are to be read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// What compressed messages are compressed with.
    pub encoding: Encoding,
    /// The most bytes of a message, when decompressed.
    pub limit: usize,
    /// After so many bytes were read the connection hears of it.
    pub credit_step: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self { encoding: Encoding::Identity, limit: 4 << 20, credit_step: 2048 }
    }
}

/// How the messages of one direction are written.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// What messages are compressed with.
    pub encoding: Encoding,
    /// The most bytes of a message.
    pub limit: usize,
}

#[derive(Debug, Default)]
struct Incoming {
    headers: Option<Metadata>,
    frames: VecDeque<Frame>,
    end: Option<End>,
    reading: Reading,
    waker: Option<Waker>,
    is_discarded: bool,
    /// Only the end wakes the reader: it needs the whole.
    wakes_at_end: bool,
    /// Bytes that were read, and that the connection has not heard of.
    owed: usize,
    /// A message that is larger than the window waits for all others to be read.
    is_large_coming: bool,
    tally: Tally,
}

/// Messages, and their bytes without prefixes.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    messages: u64,
    bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// How a direction ended.
#[derive(Clone, Debug)]
pub struct End {
    /// `Ok` only if the peer said so.
    pub result: Result<(), Status>,
    /// What came behind the messages.
    pub trailers: Metadata,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    small: Vec<u8>,
    len: usize,
    /// The connection was told, and has not come yet.
    is_signalled: bool,
    /// Nothing more follows.
    is_finished: bool,
    /// The call is over: why nothing can be sent.
    closed: Option<Status>,
    waker: Option<Waker>,
    tally: Tally,
}

/// A poisoned lock is harmless: nothing that can panic leaves the state in between.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What the connection is to send.
#[derive(Debug, Default)]
pub struct Taken {
    /// Messages with their prefixes, in order.
    pub chunks: Vec<Bytes>,
    /// Nothing more follows.
    pub is_end: bool,
}

/// The connection's side.
impl Halves {
    /// How messages that come are to be read; before the first of them.
    pub fn set_reading(&self, reading: Reading) {
        lock(&self.incoming).reading = reading;
    }

    /// Only the end of the incoming direction wakes its reader, not each message.
    pub fn wake_at_end(&self) {
        lock(&self.incoming).wakes_at_end = true;
    }

    /// The peer's metadata came.
    pub fn receive_headers(&self, headers: Metadata) {
        let waker = {
            let mut incoming = lock(&self.incoming);
            incoming.headers = Some(headers);
            if incoming.wakes_at_end { None } else { incoming.waker.take() }
        };
        wake(waker);
    }

    /// A message came. Gives it back if nobody wants to read it.
    pub fn receive(&self, frame: Frame) -> Option<Frame> {
        let waker = {
            let mut incoming = lock(&self.incoming);
            if incoming.is_discarded {
                return Some(frame);
            }
            incoming.tally.add(frame.payload.len());
            incoming.frames.push_back(frame);
            if incoming.wakes_at_end { None } else { incoming.waker.take() }
        };
        wake(waker);
        None
    }

    /// A message is coming that is larger than the window. Whether nothing else waits to be read; if
    /// something does, the connection is signalled once it is.
    pub fn expect_large(&self) -> bool {
        let mut incoming = lock(&self.incoming);
        incoming.is_large_coming = !incoming.frames.is_empty();
        incoming.frames.is_empty()
    }

    /// A message came that is not handed on here, of so many bytes.
    pub fn count_received(&self, bytes: usize) {
        lock(&self.incoming).tally.add(bytes);
    }

    /// A message went that was not queued here, of so many bytes.
    pub fn count_sent(&self, bytes: usize) {
        lock(&self.outgoing).tally.add(bytes);
    }

    /// Messages so far.
    pub fn counts(&self) -> Counts {
        let received = lock(&self.incoming).tally;
        let sent = lock(&self.outgoing).tally;
        Counts {
            sent: sent.messages,
            sent_bytes: sent.bytes,
            received: received.messages,
            received_bytes: received.bytes,
        }
    }

    /// The incoming direction is over. Of several ends the first counts.
    pub fn end(&self, end: End) {
        let waker = {
            let mut incoming = lock(&self.incoming);
            incoming.end.get_or_insert(end);
            incoming.waker.take()
        };
        wake(waker);
    }

    /// What waits to be sent. The next message signals again.
    pub fn take(&self) -> Taken {
        let (taken, waker) = {
            let mut queue = lock(&self.outgoing);
            queue.is_signalled = false;
            queue.len = 0;
            let mut chunks: Vec<Bytes> = queue.chunks.drain(..).collect();
            if !queue.small.is_empty() {
                chunks.push(std::mem::take(&mut queue.small).into());
            }
            (Taken { chunks, is_end: queue.is_finished }, queue.waker.take())
        };
        wake(waker);
        taken
    }

    /// Nothing more can be sent, for this reason.
    pub fn close(&self, status: Status) {
        let waker = {
            let mut queue = lock(&self.outgoing);
            queue.closed.get_or_insert(status);
            queue.chunks.clear();
            queue.small = Vec::new();
            queue.len = 0;
            queue.waker.take()
        };
        wake(waker);
    }
}

/// What a look at the incoming direction finds.
#[derive(Debug)]
pub(crate) enum Incomings {
    Message(Frame, Reading),
    End(End),
}

/// The user's side.
impl Halves {
    /// The next message or the end, and how much credit is due.
    pub(crate) fn poll_incoming(&self, cx: &mut Context<'_>) -> Poll<(Incomings, Option<usize>)> {
        let mut incoming = lock(&self.incoming);
        if let Some(frame) = incoming.frames.pop_front() {
            incoming.owed += frame.credit;
            let is_hungry = incoming.is_large_coming && incoming.frames.is_empty();
            let was_prepaid = frame.credit < frame.payload.len();
            let is_due = is_hungry || was_prepaid || incoming.owed >= incoming.reading.credit_step;
            let due = is_due.then(|| std::mem::take(&mut incoming.owed));
            let reading = incoming.reading;
            return Poll::Ready((Incomings::Message(frame, reading), due));
        }
        if let Some(end) = &incoming.end {
            return Poll::Ready((Incomings::End(end.clone()), None));
        }
        set_waker(&mut incoming.waker, cx);
        Poll::Pending
    }

    /// Waits for the end, and gives all that came before it.
    pub fn poll_whole(&self, cx: &mut Context<'_>) -> Poll<Whole> {
        let mut incoming = lock(&self.incoming);
        let Some(end) = incoming.end.take() else {
            set_waker(&mut incoming.waker, cx);
            return Poll::Pending;
        };
        let (headers, reading) = (incoming.headers.take(), incoming.reading);
        let first = incoming.frames.pop_front();
        let is_more = !incoming.frames.is_empty();
        Poll::Ready(Whole { headers, first, is_more, end, reading })
    }

    pub(crate) fn poll_headers(&self, cx: &mut Context<'_>) -> Poll<Option<Metadata>> {
        let mut incoming = lock(&self.incoming);
        if incoming.headers.is_none() && incoming.end.is_none() {
            set_waker(&mut incoming.waker, cx);
            return Poll::Pending;
        }
        Poll::Ready(incoming.headers.take())
    }

    /// Nobody reads. Gives the bytes that were not read, or not told.
    pub(crate) fn discard(&self) -> usize {
        let mut incoming = lock(&self.incoming);
        incoming.is_discarded = true;
        let frames = std::mem::take(&mut incoming.frames);
        std::mem::take(&mut incoming.owed) + frames.iter().map(|frame| frame.credit).sum::<usize>()
    }

    /// Waits until there is room to queue more.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let mut queue = lock(&self.outgoing);
        if let Some(status) = &queue.closed {
            return Poll::Ready(Err(status.clone()));
        }
        if queue.len < SEND_QUEUE {
            return Poll::Ready(Ok(()));
        }
        set_waker(&mut queue.waker, cx);
        Poll::Pending
    }

    /// Queues encoded messages, and leaves `out` empty. Whether the connection has to be told.
    pub(crate) fn queue(&self, out: &mut Outgoing) -> Result<bool, Status> {
        let mut queue = lock(&self.outgoing);
        if let Some(status) = &queue.closed {
            let status = status.clone();
            out.clear();
            return Err(status);
        }
        queue.len += out.len();
        queue.tally.add(out.len().saturating_sub(PREFIX_LEN));
        if queue.small.is_empty() {
            std::mem::swap(&mut queue.small, &mut out.small);
        } else {
            queue.small.extend_from_slice(&out.small);
        }
        if !out.large.is_empty() {
            let head = std::mem::take(&mut queue.small);
            queue.chunks.push_back(head.into());
            queue.chunks.push_back(std::mem::take(&mut out.large));
        }
        out.clear();
        Ok(!std::mem::replace(&mut queue.is_signalled, true))
    }

    /// Nothing more follows.
    pub(crate) fn finish(&self) {
        lock(&self.outgoing).is_finished = true;
    }

    /// Whether the user has said that nothing follows.
    pub fn is_finished(&self) -> bool {
        lock(&self.outgoing).is_finished
    }
}

/// A direction whose end has come, with at most one message of interest.
#[derive(Debug)]
pub struct Whole {
    /// The peer's metadata, if it came before the end.
    pub headers: Option<Metadata>,
    /// The first message.
    pub first: Option<Frame>,
    /// There were more.
    pub is_more: bool,
    /// How it ended.
    pub end: End,
    /// How to read the message.
    pub reading: Reading,
}

fn set_waker(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        slot => *slot = Some(cx.waker().clone()),
    }
}
