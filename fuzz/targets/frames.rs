//! What a peer sends that does what it likes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dunlin_fuzz::frames(data));
