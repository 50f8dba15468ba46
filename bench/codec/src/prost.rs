//! prost, with its default options.

use std::hint::black_box;

use crate::case::Case;
use crate::data::{Data, Input};

pub const PEER: &str = "prost";

#[allow(clippy::all, dead_code)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/prost/mod.rs"));
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
    cases
}

fn message<M: prost::Message + Default + 'static>(input: &Input, cases: &mut Vec<Case>) {
    let bytes = input.bytes;
    let value: &'static M = Box::leak(Box::new(M::decode(bytes).expect("the input is valid")));
    input.check(PEER, &value.encode_to_vec());

    cases.push(Case::new(PEER, input.message, "decode", move || M::decode(black_box(bytes))));
    cases.push(Case::new(PEER, input.message, "encode", move || black_box(value).encode_to_vec()));
    let mut buffer = Vec::new();
    cases.push(Case::new(PEER, input.message, "encode_reuse", move || {
        buffer.clear();
        black_box(value).encode(&mut buffer).expect("a Vec grows");
        black_box(buffer.as_slice());
    }));
}
