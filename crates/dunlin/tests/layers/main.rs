//! Layers of tower around our server: all that calls do without them, and what the layers do.

mod answers;
mod bodies;
mod browser;
#[path = "../calls/ends.rs"]
mod ends;
mod harness;
#[path = "../calls/kinds.rs"]
mod kinds;
mod requests;
mod trace;
