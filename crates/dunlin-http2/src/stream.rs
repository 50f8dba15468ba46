//! Streams: their states (RFC 9113 §5.1), and where they are kept.
//!
//! ```text
//!            open (recv Open, send Open)
//!           /                           \
//!   recv END_STREAM                 send END_STREAM
//!         /                               \
//!   half-closed (remote)            half-closed (local)
//!         \                               /
//!   send END_STREAM                 recv END_STREAM
//!           \                           /
//!            closed ◄── RST_STREAM of either side
//! ```
//!
//! Idle streams are those above the last identifier. Closed ones are all others that are not kept.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::flow::{ReceiveWindow, SendWindow};
use crate::frame::StreamId;
use crate::header::{Field, HeaderBlock};

/// One stream of a connection, for as long as it lives. A key whose stream is gone is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// The identifier on the wire.
    pub id: StreamId,
    /// A small number that no other living stream of the connection has: an index for what the
    /// application keeps of each stream.
    pub slot: u32,
}

/// What we expect of the peer on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiving {
    /// The final headers of the response. Only a client is here.
    Headers,
    /// Data, or trailers.
    Data,
    /// Nothing: END_STREAM came.
    Ended,
}

/// What we may send on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// The final headers of the response. Only a server is here.
    Headers,
    /// Data, or trailers.
    Data,
    /// Nothing more, but what is queued still has to go.
    Draining,
    /// Nothing: END_STREAM was sent.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) receiving: Receiving,
    pub(crate) sending: Sending,
    /// RST_STREAM was sent or received.
    pub(crate) is_reset: bool,
    /// It counts as one of the concurrent streams.
    pub(crate) is_counted: bool,
    /// The application is still at work on it, though it may be reset.
    pub(crate) is_held: bool,
    /// The application has sent the end, and is not interested in what the peer still sends.
    pub(crate) is_dismissed: bool,
    /// It stands in the queue of the scheduler.
    pub(crate) is_scheduled: bool,
    /// So much was queued that the application waits until it is less.
    pub(crate) is_congested: bool,
    /// The response to a HEAD request has no content to count.
    pub(crate) has_no_content: bool,
    /// Something was sent, or there was nothing to send, since the last look at stalls.
    pub(crate) stalls: u8,
    pub(crate) receive_window: ReceiveWindow,
    pub(crate) send_window: SendWindow,
    /// Delivered to the application, and not released.
    pub(crate) unreleased: u32,
    /// Bytes of the request's header list.
    pub(crate) headers: u32,
    /// Bytes that `content-length` still announces; `u64::MAX` if it announces nothing.
    pub(crate) announced: u64,
    pub(crate) queue: Option<Box<SendQueue>>,
}

/// What could not be sent at once.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    pub(crate) chunks: VecDeque<Bytes>,
    pub(crate) len: usize,
    pub(crate) end: QueuedEnd,
}

impl SendQueue {
    /// Bytes that it costs.
    pub(crate) fn memory(&self) -> usize {
        let trailers = if let QueuedEnd::Trailers(fields) = &self.end { fields.size } else { 0 };
        size_of::<Self>() + self.len + self.chunks.capacity() * size_of::<Bytes>() + trailers
    }
}

/// What comes behind the queued data.
#[derive(Debug, Default)]
pub(crate) enum QueuedEnd {
    #[default]
    None,
    EndStream,
    Trailers(OwnedFields),
}

/// Fields that have to wait.
#[derive(Debug)]
pub(crate) struct OwnedFields {
    pub(crate) block: Option<HeaderBlock>,
    /// Bytes of all fields.
    pub(crate) size: usize,
    pub(crate) fields: Vec<(Box<str>, Box<[u8]>, bool)>,
}

impl OwnedFields {
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.fields.iter().map(|(name, value, is_sensitive)| Field {
            name,
            value,
            is_sensitive: *is_sensitive,
        })
    }
}

impl Stream {
    pub(crate) fn new(id: StreamId, receiving: Receiving, sending: Sending, windows: (i32, i32)) -> Self {
        Self {
            id,
            receiving,
            sending,
            is_reset: false,
            is_counted: true,
            is_held: false,
            is_dismissed: false,
            is_scheduled: false,
            is_congested: false,
            has_no_content: false,
            stalls: 0,
            receive_window: ReceiveWindow::new(windows.0),
            send_window: SendWindow::new(windows.1),
            unreleased: 0,
            headers: 0,
            announced: u64::MAX,
            queue: None,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_reset || (self.receiving == Receiving::Ended && self.sending == Sending::Ended)
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.len)
    }

    /// Bytes that its queue costs.
    pub(crate) fn queue_memory(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.memory())
    }

    /// Drops what is queued. Returns the bytes that it cost.
    pub(crate) fn drop_queue(&mut self) -> usize {
        self.queue.take().map_or(0, |queue| queue.memory())
    }

    /// Nobody needs it any longer.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_closed() && !self.is_held && self.unreleased == 0
    }
}

/// The streams of a connection that are not closed, and some that the application still uses.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    slots: Vec<Option<Stream>>,
    free: Vec<u32>,
    len: usize,
    /// The slots of streams by the low bits of their identifiers. Those come in order and are few at a time, so
    /// that nearly every stream finds its place free. What is there may be of a stream that is gone.
    places: Vec<u32>,
    /// The slots of those that do not.
    others: BTreeMap<StreamId, u32>,
    /// The stream that was asked for last: frames of a stream often come together.
    last: Option<StreamKey>,
}

/// Places for the first streams.
const PLACES: usize = 16;

impl Streams {
    pub(crate) fn insert(&mut self, stream: Stream) -> StreamKey {
        let id = stream.id;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(stream);
                slot
            }
            None => {
                self.slots.push(Some(stream));
                (self.slots.len() - 1) as u32
            }
        };
        self.len += 1;
        if self.len * 2 > self.places.len() {
            self.grow();
        } else {
            self.place(id, slot);
        }
        let key = StreamKey { id, slot };
        self.last = Some(key);
        key
    }

    #[inline]
    pub(crate) fn find(&mut self, id: StreamId) -> Option<StreamKey> {
        if let Some(last) = self.last
            && last.id == id
        {
            return Some(last);
        }
        let key = self.lookup(id)?;
        self.last = Some(key);
        Some(key)
    }

    fn lookup(&self, id: StreamId) -> Option<StreamKey> {
        let slot = *self.places.get(self.place_of(id))?;
        let key = StreamKey { id, slot };
        if self.get(key).is_some() {
            return Some(key);
        }
        Some(StreamKey { id, slot: *self.others.get(&id)? })
    }

    /// Identifiers of one side are odd, or even.
    #[inline]
    fn place_of(&self, id: StreamId) -> usize {
        (id.get() / 2) as usize & self.places.len().wrapping_sub(1)
    }

    fn place(&mut self, id: StreamId, slot: u32) {
        let place = self.place_of(id);
        let held_by = self.slots.get(self.places[place] as usize).and_then(Option::as_ref);
        // The stream of the slot that is written there may have another place.
        let is_taken = held_by.is_some_and(|stream| stream.id != id && self.place_of(stream.id) == place);
        if is_taken {
            self.others.insert(id, slot);
        } else {
            self.places[place] = slot;
        }
    }

    fn grow(&mut self) {
        self.places = vec![0; (self.places.len() * 2).max(PLACES)];
        self.others.clear();
        for slot in 0..self.slots.len() {
            if let Some(id) = self.slots[slot].as_ref().map(|stream| stream.id) {
                self.place(id, slot as u32);
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream> {
        self.slots.get(key.slot as usize)?.as_ref().filter(|stream| stream.id == key.id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.slots.get_mut(key.slot as usize)?.as_mut().filter(|stream| stream.id == key.id)
    }

    pub(crate) fn remove(&mut self, key: StreamKey) {
        if self.get(key).is_none() {
            return;
        }
        self.slots[key.slot as usize] = None;
        self.free.push(key.slot);
        self.len -= 1;
        if !self.others.is_empty() {
            self.others.remove(&key.id);
        }
        if self.last == Some(key) {
            self.last = None;
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (StreamKey, &mut Stream)> {
        self.slots.iter_mut().enumerate().filter_map(|(slot, stream)| {
            let stream = stream.as_mut()?;
            Some((StreamKey { id: stream.id, slot: slot as u32 }, stream))
        })
    }

    pub(crate) fn keys(&self) -> Vec<StreamKey> {
        let key = |(slot, stream): (usize, &Option<Stream>)| {
            Some(StreamKey { id: stream.as_ref()?.id, slot: slot as u32 })
        };
        self.slots.iter().enumerate().filter_map(key).collect()
    }

    /// Bytes held on the heap, without queued data.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity() * size_of::<Option<Stream>>()
            + self.free.capacity() * 4
            + self.places.capacity() * 4
            + self.others.len() * size_of::<(StreamId, u32)>()
    }

    /// Gives memory back if there are no streams.
    pub(crate) fn shrink(&mut self) {
        if self.len == 0 {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(id: u32) -> Stream {
        Stream::new(StreamId::from_wire(id), Receiving::Data, Sending::Headers, (0, 0))
    }

    #[test]
    fn a_key_of_a_stream_that_is_gone_finds_nothing() {
        let mut streams = Streams::default();
        let first = streams.insert(stream(1));
        streams.remove(first);
        let second = streams.insert(stream(3));
        assert_eq!(first.slot, second.slot);
        assert!(streams.get(first).is_none());
        streams.remove(first);
        assert!(streams.get(second).is_some());
        assert_eq!(streams.find(StreamId::from_wire(1)), None);
        assert_eq!(streams.find(StreamId::from_wire(3)), Some(second));
    }

    #[test]
    fn streams_are_found_whichever_identifiers_share_a_place() {
        let mut random = 7u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % limit
        };
        for step in [2, 2 * PLACES as u32, 4 * PLACES as u32] {
            let (mut streams, mut living, mut id) = (Streams::default(), Vec::<StreamKey>::new(), 1);
            let mut had_others = false;
            for _ in 0..1500 {
                if living.is_empty() || (living.len() < 100 && below(2) == 0) {
                    living.push(streams.insert(stream(id)));
                    // Most identifiers share their place with others, some come in order.
                    id += if below(4) == 0 { 2 } else { step };
                } else {
                    let gone = living.swap_remove(below(living.len() as u64) as usize);
                    streams.remove(gone);
                    assert_eq!(streams.find(gone.id), None);
                }
                had_others |= !streams.others.is_empty();
                for key in &living {
                    assert_eq!(streams.find(key.id), Some(*key));
                }
                assert_eq!(streams.len(), living.len());
                assert!(streams.others.len() <= living.len() && streams.places.len() <= 4 * 128);
            }
            assert!(had_others || step == 2);
        }
    }

    #[test]
    fn a_stream_is_small() {
        // Live memory per stream is what many concurrent calls cost.
        assert!(size_of::<Option<Stream>>() <= 64, "{}", size_of::<Option<Stream>>());
    }
}
