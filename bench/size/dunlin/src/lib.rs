//! What dunlin generates for the schema.
#![allow(warnings)]

include!(concat!(env!("GENERATED"), "/dunlin/lib.rs"));

/// What a program does with the largest message, so that it is compiled here.
#[cfg(feature = "used")]
pub fn exchange(bytes: &[u8], text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    use dunlin_protobuf::{Message, View, json};
    use protobuf_test_messages::proto3::TestAllTypesProto3;
    let view = <TestAllTypesProto3 as Message>::View::decode_view(bytes).ok()?;
    let mut message = TestAllTypesProto3::decode(bytes).ok()?;
    message.optional_int32 += view.optional_int32;
    let other: TestAllTypesProto3 = json::from_slice(text).ok()?;
    Some((other.encode_to_vec(), json::to_vec(&message).ok()?))
}
