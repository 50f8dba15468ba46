//! Calls from end to end, within one process: all kinds, and how they end.

mod ends;
mod harness;
mod kinds;
