//! One request, one answer.

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::{DecodeOptions, EncodeOptions, Fields, Message, Reflect, Registry, View, json, text};

use crate::schemas::conformance::conformance_request::Payload;
use crate::schemas::conformance::conformance_response::Result as Answer;
use crate::schemas::conformance::{
    ConformanceRequest, ConformanceResponse, FailureSet, TestCategory, WireFormat,
};
use crate::schemas::protobuf_test_messages as messages;

/// What messages are read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Generated types.
    Generated,
    /// Views for binary input, generated types for the rest.
    View,
    /// Dynamic messages.
    Dynamic,
}

/// What is needed to answer.
#[derive(Debug)]
pub struct Testee {
    mode: Mode,
    registry: Registry,
}

impl Testee {
    /// With the types of the suite.
    pub fn new(mode: Mode) -> Self {
        let mut registry = Registry::new();
        if mode == Mode::Dynamic {
            let set = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.binpb"));
            let set = FileDescriptorSet::decode(set).expect("the build script wrote a descriptor set");
            registry.add_pool(DynamicPool::from_file_descriptor_set(set).expect("the compiler linked it"));
        } else {
            dunlin_protobuf::wkt::register(&mut registry);
            messages::proto2::register(&mut registry);
            messages::proto3::register(&mut registry);
            messages::editions::register(&mut registry);
            messages::editions::proto2::register(&mut registry);
            messages::editions::proto3::register(&mut registry);
        }
        Self { mode, registry }
    }

    /// The answer to a request.
    pub fn answer(&self, request: &ConformanceRequest) -> ConformanceResponse {
        let result = match request.message_type.as_str() {
            "conformance.FailureSet" => Answer::ProtobufPayload(FailureSet::default().encode_to_vec().into()),
            _ if self.mode == Mode::View => self.answer_view(request),
            name => self.answer_any(request, name),
        };
        ConformanceResponse { result: Some(result), ..Default::default() }
    }

    fn answer_any(&self, request: &ConformanceRequest, name: &str) -> Answer {
        let message = match self.mode {
            Mode::Dynamic => self
                .registry
                .table(name)
                .map(|table| Box::new(DynamicMessage::new(table)) as Box<dyn Fields<'static>>),
            _ => self.registry.message(name),
        };
        let Some(mut message) = message else {
            return Answer::RuntimeError(format!("there is no message type {name}"));
        };
        let parsed = match &request.payload {
            Some(Payload::ProtobufPayload(bytes)) => {
                // A message that owns its fields may read from anywhere, but it is known only as
                // one that lives forever.
                let bytes: &'static [u8] = Box::leak(bytes.to_vec().into_boxed_slice());
                let options = DecodeOptions::new().registry(&self.registry);
                options.merge_into(&mut *message, bytes).map_err(|e| e.to_string())
            }
            Some(Payload::JsonPayload(text)) => {
                let lenient = request.test_category == TestCategory::JSON_IGNORE_UNKNOWN_PARSING_TEST;
                let strict = json::DecodeOptions::new().registry(&self.registry);
                let options = if lenient { strict.ignore_unknown() } else { strict };
                options.merge(&mut *message, text).map_err(|e| e.to_string())
            }
            Some(Payload::TextPayload(text)) => {
                let options = text::DecodeOptions::new().registry(&self.registry);
                options.merge(&mut *message, text).map_err(|e| e.to_string())
            }
            _ => return Answer::RuntimeError("the request has no payload".into()),
        };
        match parsed {
            Err(error) => Answer::ParseError(error),
            Ok(()) => self.output(request, message.as_reflect()),
        }
    }

    fn answer_view(&self, request: &ConformanceRequest) -> Answer {
        let Some(Payload::ProtobufPayload(bytes)) = &request.payload else {
            return self.answer_any(request, &request.message_type);
        };
        match request.message_type.as_str() {
            messages::proto2::TestAllTypesProto2::FULL_NAME => {
                self.view::<<messages::proto2::TestAllTypesProto2 as Message>::View<'_>>(request, bytes)
            }
            messages::proto3::TestAllTypesProto3::FULL_NAME => {
                self.view::<<messages::proto3::TestAllTypesProto3 as Message>::View<'_>>(request, bytes)
            }
            messages::editions::proto2::TestAllTypesProto2::FULL_NAME => {
                self.view::<<messages::editions::proto2::TestAllTypesProto2 as Message>::View<'_>>(
                    request, bytes,
                )
            }
            messages::editions::proto3::TestAllTypesProto3::FULL_NAME => {
                self.view::<<messages::editions::proto3::TestAllTypesProto3 as Message>::View<'_>>(
                    request, bytes,
                )
            }
            messages::editions::TestAllTypesEdition2023::FULL_NAME => {
                self.view::<<messages::editions::TestAllTypesEdition2023 as Message>::View<'_>>(
                    request, bytes,
                )
            }
            name => Answer::RuntimeError(format!("there is no view of {name}")),
        }
    }

    fn view<'a, V: View<'a>>(&self, request: &ConformanceRequest, bytes: &'a [u8]) -> Answer {
        match DecodeOptions::new().registry(&self.registry).decode_view::<V>(bytes) {
            Ok(view) => self.output(request, &view),
            Err(error) => Answer::ParseError(error.to_string()),
        }
    }

    fn output(&self, request: &ConformanceRequest, message: &dyn Reflect) -> Answer {
        match request.requested_output_format {
            WireFormat::PROTOBUF => {
                Answer::ProtobufPayload(EncodeOptions::new().encode_to_vec(message).into())
            }
            WireFormat::JSON => {
                match json::EncodeOptions::new().registry(&self.registry).to_string(message) {
                    Ok(text) => Answer::JsonPayload(text),
                    Err(error) => Answer::SerializeError(error.to_string()),
                }
            }
            WireFormat::TEXT_FORMAT => {
                let options = text::EncodeOptions::new().registry(&self.registry);
                Answer::TextPayload(
                    options.print_unknown_fields(request.print_unknown_fields).to_string(message),
                )
            }
            other => Answer::RuntimeError(format!("there is no output format {other:?}")),
        }
    }
}
