//! The traits of messages.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::decode::{Context, decode_into};
use crate::encode::{Measure, Writer};
use crate::registry::Registry;
use crate::slot::{Slot, SlotRef};
use crate::table::{MessageTable, TableRef};
use crate::{DecodeError, Limits, UnknownFields};

/// Any message, for reading: generated, borrowed or dynamic.
///
/// Fields are numbered by their position in the [table](crate::table::MessageTable). The
/// convenient face is [`reflect`](crate::reflect).
pub trait Reflect {
    /// The type.
    fn table(&self) -> TableRef;

    /// Lends the field at a position of the table.
    fn slot_ref(&self, index: usize) -> SlotRef<'_>;

    /// Fields that the type does not know, and extensions.
    fn unknown_fields(&self) -> &UnknownFields;

    /// The number of bytes when encoded.
    #[doc(hidden)]
    fn measure(&self, out: &mut Measure) {
        crate::encode::walk_slots(self, out);
    }

    /// Writes the fields.
    #[doc(hidden)]
    fn write(&self, out: &mut Writer<'_>) {
        crate::encode::walk_slots(self, out);
    }
}

/// Any message, for writing; `'a` is what a view may borrow from.
pub trait Fields<'a>: Reflect {
    /// Lends the field at a position of the table; a field of a oneof is selected by that.
    fn slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's;

    /// Whether it may lend another slot as [`Fields::raw_slot`] than as [`Fields::slot`].
    #[doc(hidden)]
    fn has_raw_slots(&self) -> bool {
        false
    }

    /// As [`Fields::slot`], for text that is not UTF-8 and need not be by the schema: a message that can hold text as
    /// bytes where it must lends bytes.
    #[doc(hidden)]
    fn raw_slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's,
    {
        self.slot(index)
    }

    /// Takes back what is set in the oneof of this index.
    fn clear_oneof(&mut self, oneof: usize);

    /// Fields that the type does not know, and extensions.
    fn unknown_fields_mut(&mut self) -> &mut UnknownFields;

    /// As [`Fields::unknown_fields_mut`]; `None` for a message that has no place for any.
    #[doc(hidden)]
    fn try_unknown_fields_mut(&mut self) -> Option<&mut UnknownFields> {
        Some(self.unknown_fields_mut())
    }

    /// Merges fields from `buf`, starting at `pos`, until its end or the end of `group` (0: none);
    /// gives the position after that.
    #[doc(hidden)]
    fn merge_fields(
        &mut self,
        buf: &'a [u8],
        pos: usize,
        group: u32,
        cx: &mut Context<'_>,
    ) -> Result<usize, DecodeError>;

    /// Whether slots of enums refuse numbers that a closed enum lacks. Else they are looked up before they are stored.
    #[doc(hidden)]
    fn checks_enums(&self) -> bool {
        true
    }

    /// The same message, for reading.
    fn as_reflect(&self) -> &dyn Reflect;

    /// The memory that a new value takes beside itself.
    #[doc(hidden)]
    fn heap_size() -> usize
    where
        Self: Sized,
    {
        0
    }
}

macro_rules! forward_reflect {
    () => {
        #[inline]
        fn table(&self) -> TableRef {
            (**self).table()
        }
        #[inline]
        fn slot_ref(&self, index: usize) -> SlotRef<'_> {
            (**self).slot_ref(index)
        }
        #[inline]
        fn unknown_fields(&self) -> &UnknownFields {
            (**self).unknown_fields()
        }
        #[inline]
        fn measure(&self, out: &mut Measure) {
            (**self).measure(out);
        }
        #[inline]
        fn write(&self, out: &mut Writer<'_>) {
            (**self).write(out);
        }
    };
}

impl<M: Reflect + ?Sized> Reflect for &M {
    forward_reflect!();
}

impl<M: Reflect + ?Sized> Reflect for Box<M> {
    forward_reflect!();
}

impl<'a, M: Fields<'a>> Fields<'a> for Box<M> {
    #[inline]
    fn slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's,
    {
        (**self).slot(index)
    }

    fn has_raw_slots(&self) -> bool {
        (**self).has_raw_slots()
    }

    fn raw_slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's,
    {
        (**self).raw_slot(index)
    }

    fn clear_oneof(&mut self, oneof: usize) {
        (**self).clear_oneof(oneof);
    }

    fn unknown_fields_mut(&mut self) -> &mut UnknownFields {
        (**self).unknown_fields_mut()
    }

    fn try_unknown_fields_mut(&mut self) -> Option<&mut UnknownFields> {
        (**self).try_unknown_fields_mut()
    }

    fn checks_enums(&self) -> bool {
        (**self).checks_enums()
    }

    #[inline]
    fn merge_fields(
        &mut self,
        buf: &'a [u8],
        pos: usize,
        group: u32,
        cx: &mut Context<'_>,
    ) -> Result<usize, DecodeError> {
        (**self).merge_fields(buf, pos, group, cx)
    }

    fn as_reflect(&self) -> &dyn Reflect {
        (**self).as_reflect()
    }

    fn heap_size() -> usize {
        size_of::<M>()
    }
}

impl core::fmt::Debug for dyn Reflect + '_ {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reflect").field("type", &self.table().full_name()).finish_non_exhaustive()
    }
}

/// A generated message that owns its fields.
///
/// ```
/// use dunlin_protobuf::Message;
/// use dunlin_protobuf::wkt::Timestamp;
///
/// let time = Timestamp { seconds: 42, ..Default::default() };
/// let bytes = time.encode_to_vec();
/// assert_eq!(bytes, [0x08, 0x2a]);
/// assert_eq!(Timestamp::decode(&bytes)?, time);
/// # Ok::<(), dunlin_protobuf::DecodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a generated protobuf message",
    note = "messages are generated from `.proto` files by `dunlin_build::compile` or `dunlin generate`"
)]
pub trait Message:
    Default + Clone + PartialEq + core::fmt::Debug + Send + Sync + Reflect + for<'a> Fields<'a> + 'static
{
    /// The full name of the type, without a leading dot.
    const FULL_NAME: &'static str;

    /// The type's fields.
    fn message_table() -> &'static MessageTable;

    /// The same message that borrows strings and bytes from the encoded one.
    type View<'a>: View<'a>;

    /// The message as any message; `None` if the generator was told to leave reflection out.
    fn as_reflect(&self) -> Option<&dyn Reflect>
    where
        Self: Sized,
    {
        Some(self)
    }

    /// The number of bytes of the encoded message.
    fn encoded_len(&self) -> usize {
        crate::encode::measured(|out| self.measure(out))
    }

    /// The encoded message.
    fn encode_to_vec(&self) -> Vec<u8> {
        crate::encode::encode_to_vec(self, false)
    }

    /// The encoded message, ready to be shared.
    fn encode_to_bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// Appends the encoded message to `out`, which grows as it must.
    fn encode_into(&self, out: &mut Vec<u8>) {
        crate::encode::encode_into(self, out);
    }

    /// Appends the encoded message to `out`, which grows as it must.
    fn encode_into_bytes(&self, out: &mut BytesMut) {
        crate::encode::encode_into_bytes(self, out);
    }

    /// Appends the length of the encoded message as a varint, then the message: one item of a
    /// delimited stream.
    fn encode_delimited(&self, out: &mut Vec<u8>) {
        crate::encode::encode_delimited(self, out);
    }

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// When the bytes are not a message of this type: truncated, badly tagged, not UTF-8 where
    /// text is declared, without a required field, or beyond [`Limits`]. The error names the
    /// field and the byte.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        DecodeOptions::new().decode(bytes)
    }

    /// Reads a message from a shared buffer: large `bytes` fields share it.
    ///
    /// # Errors
    /// As [`Message::decode`].
    fn decode_bytes(bytes: &Bytes) -> Result<Self, DecodeError> {
        DecodeOptions::new().decode_bytes(bytes)
    }

    /// Merges the encoded message in `bytes` into this one: scalars are replaced, lists appended,
    /// messages merged.
    ///
    /// # Errors
    /// As [`Message::decode`]; the message then holds what was read before the fault.
    fn merge(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        DecodeOptions::new().merge(self, bytes)
    }

    /// Reads the first item of a delimited stream: a varint with the length, then the message.
    /// Gives the message and how many bytes it took; `None` if the item is not all there yet.
    ///
    /// # Errors
    /// As [`Message::decode`].
    fn decode_delimited(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        DecodeOptions::new().decode_delimited(bytes)
    }
}

/// A message that borrows strings and bytes from the bytes that it was decoded from.
pub trait View<'a>: Default + Clone + core::fmt::Debug + Fields<'a> + 'a {
    /// The message that owns its fields.
    type Owned: Message;

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// As [`Message::decode`].
    fn decode_view(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        DecodeOptions::new().decode_view(bytes)
    }

    /// Copies everything into a message of its own.
    fn to_message(&self) -> Self::Owned {
        let mut owned = Self::Owned::default();
        crate::reflect::copy_into(self, &mut owned);
        owned
    }
}

/// How to decode: limits, and the extensions to check.
///
/// ```
/// use dunlin_protobuf::wkt::Timestamp;
/// use dunlin_protobuf::{DecodeOptions, Limits};
///
/// let options = DecodeOptions::new().limits(Limits::default().size(1 << 20));
/// let time: Timestamp = options.decode(&[0x08, 0x2a])?;
/// assert_eq!(time.seconds, 42);
/// # Ok::<(), dunlin_protobuf::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct DecodeOptions<'r> {
    limits: Limits,
    registry: Option<&'r Registry>,
    partial: bool,
}

impl<'r> DecodeOptions<'r> {
    /// Default limits, no registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Checks extensions that are known to `registry` when the message is read, instead of when
    /// they are asked for.
    pub fn registry(mut self, registry: &'r Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Accepts messages that lack required fields.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// See [`Message::decode`].
    ///
    /// # Errors
    /// As there.
    pub fn decode<M: Message>(&self, bytes: &[u8]) -> Result<M, DecodeError> {
        let mut message = M::default();
        self.run(&mut message, bytes, None, true)?;
        Ok(message)
    }

    /// See [`Message::decode_bytes`].
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_bytes<M: Message>(&self, bytes: &Bytes) -> Result<M, DecodeError> {
        let mut message = M::default();
        self.run(&mut message, bytes, Some(bytes), true)?;
        Ok(message)
    }

    /// See [`View::decode_view`].
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_view<'a, V: View<'a>>(&self, bytes: &'a [u8]) -> Result<V, DecodeError> {
        let mut view = V::default();
        self.run(&mut view, bytes, None, true)?;
        Ok(view)
    }

    /// See [`Message::merge`].
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn merge<M: Message>(&self, message: &mut M, bytes: &[u8]) -> Result<(), DecodeError> {
        self.run(message, bytes, None, false)
    }

    /// Merges into any message.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn merge_into<'a>(&self, message: &mut dyn Fields<'a>, bytes: &'a [u8]) -> Result<(), DecodeError> {
        self.run(message, bytes, None, false)
    }

    /// See [`Message::decode_delimited`].
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode_delimited<M: Message>(&self, bytes: &[u8]) -> Result<Option<(M, usize)>, DecodeError> {
        let Some((start, len)) = crate::decode::delimited(bytes, self.limits.size)? else { return Ok(None) };
        match bytes.get(start..start + len) {
            Some(body) => Ok(Some((self.decode(body)?, start + len))),
            None => Ok(None),
        }
    }

    #[inline]
    fn run<'a, M: Fields<'a> + ?Sized>(
        &self,
        message: &mut M,
        bytes: &'a [u8],
        shared: Option<&Bytes>,
        is_new: bool,
    ) -> Result<(), DecodeError> {
        decode_into(message, bytes, shared, &self.limits, self.registry, self.partial, is_new)
    }
}

/// Encoded bytes that are one message: kept, passed on and read without decoding twice.
///
/// ```
/// use dunlin_protobuf::wkt::Timestamp;
/// use dunlin_protobuf::{Encoded, Message};
///
/// let kept: Encoded<Timestamp> = Encoded::new(vec![0x08, 0x2a].into())?;
/// assert_eq!(kept.view()?.seconds, 42);
/// assert_eq!(kept.decode()?, Timestamp { seconds: 42, ..Default::default() });
/// # Ok::<(), dunlin_protobuf::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Encoded<M> {
    bytes: Bytes,
    message: core::marker::PhantomData<fn() -> M>,
}

impl<M: Message> Encoded<M> {
    /// Checks that `bytes` are a message and keeps them.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn new(bytes: Bytes) -> Result<Self, DecodeError> {
        M::View::decode_view(&bytes)?;
        Ok(Self { bytes, message: core::marker::PhantomData })
    }

    /// Encodes a message.
    pub fn from_message(message: &M) -> Self {
        Self { bytes: message.encode_to_bytes(), message: core::marker::PhantomData }
    }

    /// The message, borrowing from this.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn view(&self) -> Result<M::View<'_>, DecodeError> {
        M::View::decode_view(&self.bytes)
    }

    /// The message on its own.
    ///
    /// # Errors
    /// As [`Message::decode`].
    pub fn decode(&self) -> Result<M, DecodeError> {
        M::decode_bytes(&self.bytes)
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<M> core::fmt::Debug for Encoded<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoded").field("len", &self.bytes.len()).finish()
    }
}
