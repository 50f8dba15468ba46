//! What buffa generates for the schema.
#![allow(warnings)]

include!(concat!(env!("GENERATED"), "/buffa/lib.rs"));
