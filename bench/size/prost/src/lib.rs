//! What prost generates for the schema.
#![allow(warnings)]

include!(concat!(env!("GENERATED"), "/prost/lib.rs"));

/// What a program does with the largest message, so that it is compiled here.
#[cfg(feature = "used")]
pub fn exchange(bytes: &[u8], text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    use prost::Message;
    let message = TestAllTypesProto3::decode(bytes).ok()?;
    let other: TestAllTypesProto3 = serde_json::from_slice(text).ok()?;
    Some((other.encode_to_vec(), serde_json::to_vec(&message).ok()?))
}
