//! Our client against our server, over a link that splits, delays and stalls what it carries.
//!
//! Time is virtual and chance is seeded. A run that fails says its seed; `DUNLIN_SEED=17` runs that
//! one alone.

#[allow(dead_code, reason = "each suite uses a part of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod peer;
mod pipe;
mod random;
mod script;
mod splits;
mod world;

use world::{Profile, World};

/// Runs many seeds, and names the one that fails.
fn run(profile: Profile, seeds: std::ops::Range<u64>) {
    let only = std::env::var("DUNLIN_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(seeds, |seed: u64| seed..seed + 1) {
        let outcome = std::panic::catch_unwind(|| World::new(seed, profile).run());
        assert!(outcome.is_ok(), "{profile:?} fails with DUNLIN_SEED={seed}");
    }
}

#[test]
fn everything_arrives_once_and_in_order() {
    run(Profile::Mixed, 0..120);
}

#[test]
fn everything_arrives_octet_by_octet() {
    run(Profile::OneOctet, 1000..1030);
}

#[test]
fn everything_arrives_through_small_windows_and_a_small_output() {
    run(Profile::Small, 2000..2100);
}

#[test]
fn a_shutdown_loses_no_request_that_was_accepted() {
    run(Profile::Shutdown, 3000..3100);
}
