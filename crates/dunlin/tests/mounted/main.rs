//! The server as a service of tower: all that calls do elsewhere, and what lives beside it.

mod beside;
#[path = "../calls/ends.rs"]
mod ends;
mod harness;
#[path = "../calls/kinds.rs"]
mod kinds;
