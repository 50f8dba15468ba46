//! Ours: generated types that own, views, and dynamic messages.

use std::hint::black_box;
use std::sync::Arc;

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::{Message, View, json};

use crate::case::Case;
use crate::data::{Data, Input};

pub const PEER: &str = "dunlin";

/// The same with the generator's option `shared_strings`.
pub const SHARED: &str = "shared";

#[allow(clippy::all, dead_code)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/dunlin/mod.rs"));
}

#[allow(clippy::all, dead_code)]
mod shared {
    include!(concat!(env!("OUT_DIR"), "/shared/mod.rs"));
}

pub fn cases(data: &Data) -> Vec<Case> {
    let set = include_bytes!(concat!(env!("OUT_DIR"), "/dunlin/schemas.binpb"));
    let set = FileDescriptorSet::decode(set).expect("the build script wrote a descriptor set");
    let pool = DynamicPool::from_file_descriptor_set(set).expect("the compiler linked it");
    let mut cases = Vec::new();
    message::<schema::codec::Product>(&pool, &data.product, &mut cases);
    message::<schema::codec::Order>(&pool, &data.order, &mut cases);
    message::<schema::codec::Numbers>(&pool, &data.numbers, &mut cases);
    message::<schema::codec::Strings>(&pool, &data.strings, &mut cases);
    message::<schema::codec::Event>(&pool, &data.event, &mut cases);
    message::<schema::codec::Media>(&pool, &data.media, &mut cases);
    message::<dunlin_protobuf::wkt::FileDescriptorProto>(&pool, &data.descriptor, &mut cases);
    json::<schema::codec::Product>(&data.product, &mut cases);
    json::<schema::codec::Order>(&data.order, &mut cases);

    owned::<shared::codec::Product>(SHARED, &data.product, &mut cases);
    owned::<shared::codec::Order>(SHARED, &data.order, &mut cases);
    owned::<shared::codec::Strings>(SHARED, &data.strings, &mut cases);
    owned::<shared::codec::Event>(SHARED, &data.event, &mut cases);
    owned::<shared::google::protobuf::FileDescriptorProto>(SHARED, &data.descriptor, &mut cases);
    cases
}

/// The operations that the table of binary against JSON has, and the bytes that each reads or writes.
pub fn formats(data: &Data) -> Vec<(usize, Case)> {
    let mut all = Vec::new();
    for input in [&data.item, &data.product] {
        let value = schema::codec::Product::decode(input.bytes).expect("the input is valid");
        let text = json::to_vec(&value).expect("every value has a JSON form").len();
        let mut cases = Vec::new();
        json::<schema::codec::Product>(input, &mut cases);
        all.extend(cases.into_iter().map(|case| (text, case)));
        let value: &'static schema::codec::Product = Box::leak(Box::new(value));
        let bytes = input.bytes;
        all.push((
            bytes.len(),
            Case::new(PEER, input.message, "encode", move || black_box(value).encode_to_vec()),
        ));
        let decode = move || schema::codec::Product::decode(black_box(bytes));
        all.push((bytes.len(), Case::new(PEER, input.message, "decode", decode)));
    }
    all
}

fn json<M: Message>(input: &Input, cases: &mut Vec<Case>) {
    let value: &'static M = Box::leak(Box::new(M::decode(input.bytes).expect("the input is valid")));
    let text: &'static [u8] = json::to_vec(value).expect("every value has a JSON form").leak();
    assert!(*value == json::from_slice(text).expect("the text is ours"), "{}", input.message);

    cases.push(Case::new(PEER, input.message, "json_encode", move || json::to_vec(black_box(value))));
    cases.push(Case::new(PEER, input.message, "json_decode", move || json::from_slice::<M>(black_box(text))));
}

/// Decoding and encoding of a type that owns what it holds.
fn owned<M: Message>(peer: &'static str, input: &Input, cases: &mut Vec<Case>) -> &'static M {
    let bytes = input.bytes;
    let value: &'static M = Box::leak(Box::new(M::decode(bytes).expect("the input is valid")));
    input.check(peer, &value.encode_to_vec());
    cases.push(Case::new(peer, input.message, "decode", move || M::decode(black_box(bytes))));
    cases.push(Case::new(peer, input.message, "encode", move || black_box(value).encode_to_vec()));
    value
}

fn message<M: Message>(pool: &Arc<DynamicPool>, input: &Input, cases: &mut Vec<Case>) {
    let bytes = input.bytes;
    let value = owned::<M>(PEER, input, cases);
    cases.push(Case::new(PEER, input.message, "decode_view", move || M::View::decode_view(black_box(bytes))));
    let mut buffer = Vec::new();
    cases.push(Case::new(PEER, input.message, "encode_reuse", move || {
        buffer.clear();
        black_box(value).encode_into(&mut buffer);
        black_box(buffer.as_slice());
    }));

    let table = pool.message(M::FULL_NAME).expect("the pool has all types");
    let dynamic = DynamicMessage::decode(table.clone(), bytes).expect("the input is valid");
    input.check("dunlin's dynamic message", &dynamic.encode_to_vec());
    cases.push(Case::new(PEER, input.message, "decode_dynamic", move || {
        DynamicMessage::decode(table.clone(), black_box(bytes))
    }));
    cases.push(Case::new(PEER, input.message, "encode_dynamic", move || black_box(&dynamic).encode_to_vec()));
}
