//! What prost generates for the schema.
#![allow(warnings)]

include!(concat!(env!("GENERATED"), "/prost/lib.rs"));
