//! How values become messages: generated types, dynamic ones, or bytes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::table::TableRef;
use dunlin_protobuf::{DecodeOptions, Encoded, Limits, Message, Reflect};

use crate::Status;
use crate::intercept::MessageRef;

/// Turns values into the bytes of messages and back.
pub trait Codec<M>: Send + Sync + 'static {
    /// Appends the message to `out`. A large payload may be returned instead, to stand behind what was
    /// appended without a copy.
    ///
    /// # Errors
    /// When the value can not be sent.
    fn encode(&self, message: M, out: &mut Vec<u8>) -> Result<Bytes, Status>;

    /// The value of a message.
    ///
    /// # Errors
    /// INTERNAL when the bytes are not such a message.
    fn decode(&self, payload: Payload<'_>, limits: Limits) -> Result<M, Status>;

    /// The value's fields, for those who look at messages; `None` if it is none that can be read.
    fn as_reflect<'m>(&self, message: &'m M) -> Option<&'m dyn Reflect> {
        let _ = message;
        None
    }
}

/// The bytes of a message.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'p> {
    /// In the buffer that was read into.
    Borrowed(&'p [u8]),
    /// On their own.
    Shared(&'p Bytes),
}

impl Payload<'_> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// The bytes, to be kept.
    pub fn to_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
        }
    }
}

fn undecodable(type_name: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Status {
    let error = error.into();
    Status::internal(format!("not a message of type {type_name}: {error}")).with_source(error)
}

/// Generated messages.
pub struct Proto<M>(PhantomData<fn() -> M>);

impl<M> Proto<M> {
    /// The codec.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M> Default for Proto<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M> fmt::Debug for Proto<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proto")
    }
}

impl<M: Message> Codec<M> for Proto<M> {
    #[inline]
    fn encode(&self, message: M, out: &mut Vec<u8>) -> Result<Bytes, Status> {
        message.encode_into(out);
        Ok(Bytes::new())
    }

    #[inline]
    fn decode(&self, payload: Payload<'_>, limits: Limits) -> Result<M, Status> {
        let options = DecodeOptions::new().limits(limits);
        let decoded = match payload {
            Payload::Borrowed(bytes) => options.decode(bytes),
            Payload::Shared(bytes) => options.decode_bytes(bytes),
        };
        decoded.map_err(|error| undecodable(M::FULL_NAME, error))
    }

    fn as_reflect<'m>(&self, message: &'m M) -> Option<&'m dyn Reflect> {
        Message::as_reflect(message)
    }
}

/// Generated messages that stay encoded until they are asked: [`Encoded`].
#[derive(Debug)]
pub struct Lazy;

impl<M: Message> Codec<Encoded<M>> for Lazy {
    fn encode(&self, message: Encoded<M>, _: &mut Vec<u8>) -> Result<Bytes, Status> {
        Ok(message.as_bytes().clone())
    }

    fn decode(&self, payload: Payload<'_>, _: Limits) -> Result<Encoded<M>, Status> {
        Encoded::new(payload.to_bytes()).map_err(|error| undecodable(M::FULL_NAME, error))
    }
}

/// Bytes, whatever they mean: for proxies.
#[derive(Debug)]
pub struct Raw;

/// Payloads below this size are cheaper to copy than to write apart.
const LARGE: usize = 4096;

impl Codec<Bytes> for Raw {
    fn encode(&self, message: Bytes, out: &mut Vec<u8>) -> Result<Bytes, Status> {
        if message.len() >= LARGE {
            return Ok(message);
        }
        out.extend_from_slice(&message);
        Ok(Bytes::new())
    }

    fn decode(&self, payload: Payload<'_>, _: Limits) -> Result<Bytes, Status> {
        Ok(payload.to_bytes())
    }
}

/// Messages of a type that is only known when the program runs.
#[derive(Clone, Debug)]
pub struct Dynamic(TableRef);

impl Dynamic {
    /// Messages of this type.
    pub fn new(table: TableRef) -> Self {
        Self(table)
    }
}

impl Codec<DynamicMessage> for Dynamic {
    fn encode(&self, message: DynamicMessage, out: &mut Vec<u8>) -> Result<Bytes, Status> {
        // By name: the same type may come from two pools.
        let table = message.table();
        if table.full_name() != self.0.full_name() {
            let (found, wanted) = (table.full_name(), self.0.full_name());
            return Err(Status::internal(format!("a message of type {found} where {wanted} is sent")));
        }
        message.encode_into(out);
        Ok(Bytes::new())
    }

    fn decode(&self, payload: Payload<'_>, limits: Limits) -> Result<DynamicMessage, Status> {
        let mut message = DynamicMessage::new(self.0.clone());
        let options = DecodeOptions::new().limits(limits);
        match options.merge_into(&mut message, payload.as_slice()) {
            Ok(()) => Ok(message),
            Err(error) => Err(undecodable(self.0.full_name(), error)),
        }
    }

    fn as_reflect<'m>(&self, message: &'m DynamicMessage) -> Option<&'m dyn Reflect> {
        Some(message)
    }
}

/// A codec that someone else chose.
pub enum CodecRef<M: 'static> {
    /// One without a state.
    Static(&'static dyn Codec<M>),
    /// Any other.
    Shared(Arc<dyn Codec<M>>),
}

impl<M: 'static> Clone for CodecRef<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Static(codec) => Self::Static(*codec),
            Self::Shared(codec) => Self::Shared(Arc::clone(codec)),
        }
    }
}

impl<M: 'static> fmt::Debug for CodecRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodecRef")
    }
}

impl<M: 'static> CodecRef<M> {
    /// The value, for those who look at messages; `None` if it is none that can be read.
    pub fn message_ref<'m>(&self, message: &'m M) -> Option<MessageRef<'m>> {
        self.as_reflect(message).map(|reflect| MessageRef::new(reflect, message))
    }
}

impl<M: Message> CodecRef<M> {
    /// Of a generated message.
    pub const fn proto() -> Self {
        Self::Static(const { &Proto::<M>::new() })
    }
}

impl<M: 'static> std::ops::Deref for CodecRef<M> {
    type Target = dyn Codec<M>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Static(codec) => *codec,
            Self::Shared(codec) => &**codec,
        }
    }
}
