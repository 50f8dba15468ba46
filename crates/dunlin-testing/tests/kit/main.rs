//! The kit for tests, end to end: each part with calls of all kinds.

mod blocking;
mod faults;
mod harness;
mod mocks;
mod records;
mod servers;
