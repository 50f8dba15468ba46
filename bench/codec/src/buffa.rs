//! buffa, with its default options and JSON: owned messages and views.

use std::hint::black_box;

use ::buffa::{HasMessageView, Message};
use ::serde::Serialize;
use ::serde::de::DeserializeOwned;

use crate::case::Case;
use crate::data::{Data, Input};

pub const PEER: &str = crate::BUFFA;

#[allow(clippy::all, dead_code, unused_imports)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/buffa/mod.rs"));
}

pub fn cases(data: &Data) -> Vec<Case> {
    let mut cases = Vec::new();
    message::<schema::codec::Product>(&data.product, &mut cases);
    message::<schema::codec::Order>(&data.order, &mut cases);
    message::<schema::codec::Numbers>(&data.numbers, &mut cases);
    message::<schema::codec::Strings>(&data.strings, &mut cases);
    message::<schema::codec::Event>(&data.event, &mut cases);
    message::<schema::codec::Media>(&data.media, &mut cases);
    message::<schema::google::protobuf::FileDescriptorProto>(&data.descriptor, &mut cases);
    json::<schema::codec::Product>(&data.product, &mut cases);
    json::<schema::codec::Order>(&data.order, &mut cases);
    cases
}

fn message<M: Message + HasMessageView + 'static>(input: &Input, cases: &mut Vec<Case>) {
    let bytes = input.bytes;
    let value = decoded::<M>(input);
    input.check(PEER, &value.encode_to_vec());

    cases.push(Case::new(PEER, input.message, "decode", move || M::decode_from_slice(black_box(bytes))));
    cases.push(Case::new(PEER, input.message, "decode_view", move || M::decode_view(black_box(bytes))));
    cases.push(Case::new(PEER, input.message, "encode", move || black_box(value).encode_to_vec()));
    let mut buffer = Vec::new();
    cases.push(Case::new(PEER, input.message, "encode_reuse", move || {
        buffer.clear();
        black_box(value).encode(&mut buffer);
        black_box(buffer.as_slice());
    }));
}

fn json<M: Message + Serialize + DeserializeOwned + 'static>(input: &Input, cases: &mut Vec<Case>) {
    let value = decoded::<M>(input);
    let text: &'static [u8] = serde_json::to_vec(value).expect("every value has a JSON form").leak();
    let again: M = serde_json::from_slice(text).expect("the text is ours");
    input.check(PEER, &again.encode_to_vec());

    cases.push(Case::new(PEER, input.message, "json_encode", move || serde_json::to_vec(black_box(value))));
    cases.push(Case::new(PEER, input.message, "json_decode", move || {
        serde_json::from_slice::<M>(black_box(text))
    }));
}

fn decoded<M: Message + 'static>(input: &Input) -> &'static M {
    Box::leak(Box::new(M::decode_from_slice(input.bytes).expect("the input is valid")))
}
