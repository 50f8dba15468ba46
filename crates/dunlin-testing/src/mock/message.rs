//! Messages of mocks: bytes, which others may look at if their type is known.

use std::sync::Arc;

use bytes::Bytes;
use dunlin_grpc::Status;
use dunlin_grpc::codec::{Codec, CodecRef, Dynamic, Payload, Raw};
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::table::TableRef;
use dunlin_protobuf::{Limits, Reflect, text};

use crate::record::RecordedMessage;

/// A message that came, or is sent.
pub(crate) struct Mocked {
    pub(super) bytes: Bytes,
    message: Option<DynamicMessage>,
}

impl Mocked {
    pub(super) fn plain(bytes: Bytes) -> Self {
        Self { bytes, message: None }
    }

    /// Of a type of the schema, if there is one.
    pub(super) fn typed(bytes: Bytes, table: Option<TableRef>) -> Result<Self, Status> {
        let Some(table) = table else { return Ok(Self::plain(bytes)) };
        let message = Dynamic::new(table).decode(Payload::Shared(&bytes), Limits::default())?;
        Ok(Self { bytes, message: Some(message) })
    }

    pub(super) fn record(&self) -> RecordedMessage {
        match &self.message {
            Some(message) => {
                let table = message.table();
                RecordedMessage::new(self.bytes.clone(), table.full_name(), text::to_string(message))
            }
            None => RecordedMessage::unread(self.bytes.clone()),
        }
    }
}

/// Messages of types that nobody knows.
pub(super) struct Plain;

impl Plain {
    pub(super) fn codec() -> CodecRef<Mocked> {
        CodecRef::Static(&Self)
    }
}

impl Codec<Mocked> for Plain {
    fn encode(&self, message: Mocked, out: &mut Vec<u8>) -> Result<Bytes, Status> {
        Raw.encode(message.bytes, out)
    }

    fn decode(&self, payload: Payload<'_>, limits: Limits) -> Result<Mocked, Status> {
        Raw.decode(payload, limits).map(Mocked::plain)
    }
}

/// Messages of a type of the schema.
pub(super) struct Typed(Dynamic);

impl Typed {
    pub(super) fn codec(table: TableRef) -> CodecRef<Mocked> {
        CodecRef::Shared(Arc::new(Self(Dynamic::new(table))))
    }
}

impl Codec<Mocked> for Typed {
    fn encode(&self, message: Mocked, out: &mut Vec<u8>) -> Result<Bytes, Status> {
        Raw.encode(message.bytes, out)
    }

    fn decode(&self, payload: Payload<'_>, limits: Limits) -> Result<Mocked, Status> {
        let message = self.0.decode(payload, limits)?;
        Ok(Mocked { bytes: payload.to_bytes(), message: Some(message) })
    }

    fn as_reflect<'m>(&self, message: &'m Mocked) -> Option<&'m dyn Reflect> {
        message.message.as_ref().map(|message| message as _)
    }
}
