//! Google's `protobuf` crate, which is upb in C under Rust accessors.
//!
//! It encodes into a new `Vec` only, and has no JSON. The allocations that its arenas make in C are
//! not counted.

use std::hint::black_box;

use protobuf::{Parse, Serialize};

use crate::case::Case;
use crate::data::{Data, Input};

pub const PEER: &str = crate::UPB;

#[allow(clippy::all, dead_code, unsafe_code, unused_imports)]
mod schema {
    include!(concat!(env!("OUT_DIR"), "/upb/generated.rs"));
}

pub fn cases(data: &Data) -> Vec<Case> {
    let mut cases = Vec::new();
    message::<schema::Product>(&data.product, &mut cases);
    message::<schema::Order>(&data.order, &mut cases);
    message::<schema::Numbers>(&data.numbers, &mut cases);
    message::<schema::Strings>(&data.strings, &mut cases);
    message::<schema::Event>(&data.event, &mut cases);
    message::<schema::Media>(&data.media, &mut cases);
    message::<schema::FileDescriptorProto>(&data.descriptor, &mut cases);
    cases
}

fn message<M: Parse + Serialize + 'static>(input: &Input, cases: &mut Vec<Case>) {
    let bytes = input.bytes;
    let Ok(value) = M::parse(bytes) else { panic!("the input is valid") };
    let value: &'static M = Box::leak(Box::new(value));
    let Ok(encoded) = value.serialize() else { panic!("a decoded message can be encoded") };
    input.check(PEER, &encoded);

    cases.push(Case::new(PEER, input.message, "decode", move || M::parse(black_box(bytes))));
    cases.push(Case::new(PEER, input.message, "encode", move || black_box(value).serialize()));
}
