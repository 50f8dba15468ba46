//! What dunlin generates for the schema.
#![allow(warnings)]

include!(concat!(env!("GENERATED"), "/dunlin/lib.rs"));
