//! Every budget against a hostile peer: what it costs to exceed it, and that nothing happens below.

#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod limits;
mod memory;
mod rates;

use dunlin_http2::{ConnectionError, ErrorCode, Limit};
use dunlin_testkit::http2::{Frame, bytes, code};
use harness::Bench;

/// Feeds frames that must not end the connection, and lets the peer take what comes of them.
fn allowed(bench: &mut Bench, frames: &[Frame], why: &str) {
    bench.feed(&bytes(frames)).unwrap_or_else(|error| panic!("{why}: {error}"));
    bench.output();
    assert!(!bench.engine.is_closed(), "{why}");
}

/// Feeds frames that exceed a budget.
fn exceeds(bench: &mut Bench, frames: &[Frame], limit: Limit, most: u64) {
    let before = bench.engine.counter(limit);
    let error = bench.feed(&bytes(frames)).expect_err(limit.setting());
    assert_eq!(error, ConnectionError::Abuse { limit, allowed: most });
    assert_eq!(error.code(), ErrorCode::ENHANCE_YOUR_CALM);
    let last = bench.output().pop().expect("GOAWAY");
    assert_eq!((last.kind, &last.payload[4..8]), (7, &code::ENHANCE_YOUR_CALM.to_be_bytes()[..]), "{limit}");
    assert_eq!(bench.engine.counter(limit), before + 1, "{limit}");
    assert!(bench.engine.is_closed(), "{limit}");
}
