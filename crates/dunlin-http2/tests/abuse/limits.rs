//! Budgets without time: sizes, counts, and how long a header block may take.

use std::time::Duration;

use dunlin_http2::{Config, ConnectionError, ErrorCode, Limit};
use dunlin_testkit::http2::{Block, Frame, bytes, code};

use crate::harness::{App, Bench, get, get_block, response};
use crate::{allowed, exceeds};

fn server(config: Config) -> Bench {
    Bench::server(config, App::Answers)
}

/// HEADERS and so many CONTINUATION frames behind them.
fn continued(count: usize) -> Vec<Frame> {
    let mut frames = vec![get(1).unfinished()];
    frames.extend((0..count).map(|_| Frame::continuation(1, "").unfinished()));
    frames
}

fn ended(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames
        .pop()
        .into_iter()
        .for_each(|last| frames.push(last.with(dunlin_testkit::http2::flag::END_HEADERS)));
    frames
}

#[test]
fn a_header_block_has_so_many_continuations_and_no_more() {
    let config = || Config::default().max_continuations(3);
    for count in 1..=3 {
        let mut bench = server(config());
        assert_eq!(bench.send(&ended(continued(count))), response(1), "{count}");
        assert_eq!(bench.engine.counter(Limit::Continuations), 0, "{count}");
    }
    let mut bench = server(config());
    allowed(&mut bench, &continued(3), "three");
    exceeds(&mut bench, &[Frame::continuation(1, "")], Limit::Continuations, 3);
}

#[test]
fn a_header_block_is_four_times_as_long_as_a_list_may_be() {
    let config = || Config::default().max_header_list_size(5000);
    // Octets of the block, not of what it expands to: one field that never ends.
    let begun = |rest: usize| {
        let head = Block::new().raw([0x00]).string("x").integer(0x00, 7, 100_000);
        let first = Frame::headers(1, head).resized(16_384).unfinished();
        [first, Frame::continuation(1, vec![0; rest]).unfinished()]
    };
    let mut bench = server(config());
    allowed(&mut bench, &begun(20_000 - 16_384), "exactly as long");
    exceeds(&mut bench, &[Frame::continuation(1, [0])], Limit::HeaderBlock, 20_000);
    exceeds(&mut server(config()), &begun(20_001 - 16_384), Limit::HeaderBlock, 20_000);
}

#[test]
fn a_header_list_costs_the_stream_and_far_above_the_limit_the_connection() {
    let config = || Config::default().max_header_list_size(1000);
    // The request has 174 bytes as §6.5.2 counts them, and `x` has 33 without its value.
    let request = |size: usize| {
        let block = get_block().literal("x", "v".repeat(size - 174 - 33));
        Frame::headers(1, block).end_stream()
    };
    let calm = vec![Frame::rst_stream(1, code::ENHANCE_YOUR_CALM)];
    for (size, want) in [
        (1000, response(1)),  // exactly the limit
        (1001, calm.clone()), // above it
        (4000, calm),         // exactly four times
    ] {
        assert_eq!(server(config()).send(&[request(size)]), want, "{size}");
    }
    exceeds(&mut server(config()), &[request(4001)], Limit::HeaderBlock, 4000);
}

#[test]
fn indexes_that_expand_without_end_are_no_way_around_it() {
    // A field of 4,000 octets in the table, named by one octet each time (CVE-2016-6581).
    let mut bench = server(Config::default().max_header_list_size(8000));
    let inserts = get_block().incremental("x", "v".repeat(4000));
    allowed(&mut bench, &[Frame::headers(1, inserts).end_stream()], "one of them");
    let bomb = (0..16_000).fold(get_block(), |block, _| block.indexed(62));
    exceeds(&mut bench, &[Frame::headers(3, bomb).end_stream()], Limit::HeaderBlock, 32_000);
}

#[test]
fn a_header_list_has_so_many_fields_and_no_more() {
    let config = || Config::default().max_header_fields(5);
    let request =
        |more| Frame::headers(1, (0..more).fold(get_block(), |b, _| b.literal("x", ""))).end_stream();
    assert_eq!(server(config()).send(&[request(1)]), response(1));
    let calm = [Frame::rst_stream(1, code::ENHANCE_YOUR_CALM)];
    assert_eq!(server(config()).send(&[request(2)]), calm);
}

#[test]
fn a_header_block_takes_so_long_and_no_longer() {
    let mut bench = server(Config::default().header_block_timeout(Duration::from_secs(7)));
    assert_eq!(bench.engine.poll_timeout(bench.now), None);
    allowed(&mut bench, &[get(1).unfinished()], "the first frame");
    let begun = bench.now;
    let deadline = begun + Duration::from_secs(7);
    assert_eq!(bench.engine.poll_timeout(bench.now), Some(deadline));
    bench.pass(Duration::from_secs(6));
    allowed(&mut bench, &[Frame::continuation(1, "").unfinished()], "which does not begin anew");
    assert_eq!(bench.engine.poll_timeout(bench.now), Some(deadline));
    assert_eq!(bench.engine.handle_timeout(deadline - Duration::from_nanos(1)), Ok(()));
    let error = ConnectionError::Abuse { limit: Limit::HeaderBlockTimeout, allowed: 7000 };
    assert_eq!(bench.engine.handle_timeout(deadline), Err(error));
    bench.transmit().expect("GOAWAY");
    assert_eq!(bench.output(), [Frame::goaway(0, code::ENHANCE_YOUR_CALM)]);
    assert_eq!(bench.engine.counter(Limit::HeaderBlockTimeout), 1);
}

#[test]
fn a_header_block_that_ends_in_time_leaves_no_deadline() {
    let mut bench = server(Config::default());
    bench.send(&ended(continued(1)));
    assert_eq!(bench.engine.poll_timeout(bench.now), None);
}

#[test]
fn settings_have_so_many_entries_and_no_more() {
    let config = || Config::default().max_settings_entries(3);
    let entries = |count| Frame::settings(&vec![(0xff, 0); count]);
    let mut bench = server(config());
    allowed(&mut bench, &[entries(3)], "exactly as many");
    assert_eq!(bench.engine.counter(Limit::SettingsEntries), 0);
    exceeds(&mut bench, &[entries(4)], Limit::SettingsEntries, 3);
}

/// Gives frames to the engine, while the peer takes nothing of what it has to say.
fn untaken(bench: &mut Bench, frames: &[Frame]) -> Result<(), ConnectionError> {
    let wire = bytes(frames);
    let mut input = &wire[..];
    while bench.engine.poll_event(bench.now, &mut input)?.is_some() {}
    Ok(())
}

#[test]
fn so_many_answers_wait_for_the_peer_and_no_more() {
    let malformed = |n: u32| Frame::headers(2 * n + 1, Block::new().indexed(2));
    for (why, answered) in [
        ("acknowledgements of PING", &(|_| Frame::ping([0; 8])) as &dyn Fn(u32) -> Frame),
        ("acknowledgements of SETTINGS", &|_| Frame::settings(&[])),
        ("resets", &malformed),
    ] {
        let mut bench = server(Config::default().max_queued_control_frames(3));
        assert!(bench.engine.output_mut().is_empty());
        for n in 0..3 {
            assert_eq!(untaken(&mut bench, &[answered(n)]), Ok(()), "{why}: answer {n}");
        }
        assert_eq!(bench.engine.counter(Limit::QueuedControlFrames), 0, "{why}");
        let error = ConnectionError::Abuse { limit: Limit::QueuedControlFrames, allowed: 3 };
        assert_eq!(error.code(), ErrorCode::ENHANCE_YOUR_CALM);
        assert_eq!(untaken(&mut bench, &[answered(3)]), Err(error), "{why}");
        assert_eq!(bench.engine.counter(Limit::QueuedControlFrames), 1, "{why}");
    }
}

#[test]
fn answers_that_the_peer_takes_do_not_count() {
    let mut bench = server(Config::default().max_queued_control_frames(3));
    for round in 0..100 {
        untaken(&mut bench, &[Frame::ping([0; 8]), Frame::ping([1; 8])]).expect("two at a time");
        assert_eq!(bench.send(&[]).len(), 2, "{round}");
    }
}

#[test]
fn a_peer_that_takes_a_little_does_not_queue_more_answers() {
    // As many as are allowed wait; the peer takes one of them, and asks for more.
    let mut bench = server(Config::default().max_queued_control_frames(100));
    let ping = || [Frame::ping([0; 8])];
    (0..100).for_each(|n| untaken(&mut bench, &ping()).unwrap_or_else(|error| panic!("{n}: {error}")));
    let len = bench.engine.output_mut().len();
    assert_eq!(len, 100 * 17);
    bench.engine.output_mut().advance(17);
    assert_eq!(untaken(&mut bench, &ping()), Ok(()));
    let most = (0..1000).take_while(|_| untaken(&mut bench, &ping()).is_ok()).count();
    assert_eq!(most, 0, "so many more than 100 answers were waiting");
}

#[test]
fn a_stream_that_nobody_takes_is_reset() {
    let mut bench = Bench::server(Config::default().send_stall_timeout(Duration::from_secs(60)), App::Silent);
    bench.send(&[Frame::settings(&[(4, 0)]), get(1)]); // a window of nothing
    let key = bench.key(1);
    crate::harness::answer(&mut bench.engine, key);
    bench.transmit().expect("headers");
    bench.output();
    let begun = bench.now;
    while bench.engine.stream_count() > 0
        && let Some(deadline) = bench.engine.poll_timeout(bench.now)
    {
        bench.now = deadline;
        bench.engine.handle_timeout(deadline).expect("an error of the stream only");
    }
    let stalled = bench.now - begun;
    // Not before the time is over, and not much later.
    assert!((Duration::from_secs(60)..=Duration::from_secs(75)).contains(&stalled), "{stalled:?}");
    bench.transmit().expect("RST_STREAM");
    assert_eq!(bench.output(), [Frame::rst_stream(1, code::ENHANCE_YOUR_CALM)]);
}
