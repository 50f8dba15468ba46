//! Headers that say which trace a call belongs to.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dunlin_fuzz::trace_context(data));
