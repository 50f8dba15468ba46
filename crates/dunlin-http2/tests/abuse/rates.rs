//! Budgets that time refills.

use std::time::Duration;

use dunlin_http2::{Config, Field, Limit, Rate, Rates};
use dunlin_testkit::http2::{Block, Frame, code, setting};

use crate::harness::{App, Bench, get, ok, post};
use crate::{allowed, exceeds};

/// What draws on a budget once, for the first, second, ... time.
struct Case {
    limit: Limit,
    /// How much of it the handshake takes.
    used: u32,
    setup: fn(&mut Bench),
    event: fn(u32) -> Vec<Frame>,
}

/// The `n`th stream.
fn stream(n: u32) -> u32 {
    2 * n + 1
}

fn one_request(bench: &mut Bench) {
    allowed(bench, &[post(1)], "a request");
}

/// A response with more content than its window.
fn starved(bench: &mut Bench) {
    allowed(bench, &[Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 0)]), get(1)], "a request");
    let key = bench.key(1);
    let status = [Field::new(":status", "200")];
    bench.engine.send_headers(key, &status[..], false).expect("a response");
    bench.engine.send_data(key, vec![0; 10_000].into(), true).expect("content");
}

const CASES: &[Case] = &[
    Case {
        limit: Limit::PeerResets,
        used: 0,
        setup: |_| {},
        event: |n| vec![get(stream(n)), Frame::rst_stream(stream(n), code::CANCEL)],
    },
    Case {
        limit: Limit::LocalResets,
        used: 0,
        setup: |_| {},
        event: |n| vec![post(stream(n)), Frame::window_update(stream(n), 0)], // after it was accepted
    },
    Case {
        limit: Limit::LocalResets,
        used: 0,
        setup: |_| {},
        event: |n| vec![Frame::headers(stream(n), Block::new().indexed(2))], // malformed from the start
    },
    Case {
        limit: Limit::LocalResets,
        used: 0,
        setup: |_| {},
        event: |n| vec![post(stream(n)), Frame::priority(stream(n), 0, 0).resized(4)],
    },
    Case {
        limit: Limit::RefusedStreams,
        used: 0,
        setup: one_request, // and that is all that the configuration here allows
        event: |n| vec![get(stream(n + 1))],
    },
    Case { limit: Limit::EmptyFrames, used: 0, setup: one_request, event: |_| vec![Frame::data(1, "")] },
    Case {
        limit: Limit::EmptyFrames,
        used: 0,
        setup: one_request,
        event: |_| vec![Frame::data(1, "").padded(0)], // padding is no content
    },
    Case { limit: Limit::SettingsFrames, used: 1, setup: |_| {}, event: |_| vec![Frame::settings(&[])] },
    Case { limit: Limit::Pings, used: 0, setup: |_| {}, event: |_| vec![Frame::ping([0; 8])] },
    Case { limit: Limit::WindowUpdates, used: 0, setup: |_| {}, event: |_| vec![Frame::window_update(0, 1)] },
    Case { limit: Limit::Priorities, used: 0, setup: |_| {}, event: |_| vec![Frame::priority(1, 0, 0)] },
    Case { limit: Limit::IgnoredFrames, used: 0, setup: |_| {}, event: |_| vec![Frame::new(0x16, 0, 0, [])] },
    Case {
        limit: Limit::IgnoredFrames,
        used: 0,
        setup: |_| {},
        event: |_| vec![Frame::ping_ack(*b"01234567")], // of no PING
    },
    Case {
        limit: Limit::IgnoredFrames,
        used: 0,
        setup: |bench| allowed(bench, &[Frame::headers(1, Block::new().indexed(2))], "a malformed request"),
        event: |_| vec![Frame::data(1, "a")], // of a stream that we have reset
    },
    Case {
        limit: Limit::TinyWindows,
        used: 0,
        setup: starved,
        event: |_| vec![Frame::window_update(1, 255)],
    },
];

/// A configuration where the budget of a case has `burst` events beyond those of the handshake.
fn config(case: &Case, burst: u32, per_second: u32) -> Config {
    let mut rates = Rates::default();
    let rate = match case.limit {
        Limit::PeerResets => &mut rates.peer_resets,
        Limit::LocalResets => &mut rates.local_resets,
        Limit::RefusedStreams => &mut rates.refused_streams,
        Limit::EmptyFrames => &mut rates.empty_frames,
        Limit::SettingsFrames => &mut rates.settings_frames,
        Limit::Pings => &mut rates.pings,
        Limit::WindowUpdates => &mut rates.window_updates,
        Limit::Priorities => &mut rates.priorities,
        Limit::IgnoredFrames => &mut rates.ignored_frames,
        Limit::TinyWindows => &mut rates.tiny_windows,
        other => panic!("{other} is no rate"),
    };
    *rate = Rate::new(burst + case.used, per_second);
    let config = Config::default().rates(rates);
    if case.limit == Limit::RefusedStreams { config.max_concurrent_streams(1) } else { config }
}

#[test]
fn a_burst_is_allowed_and_one_event_more_is_not() {
    for case in CASES {
        for burst in [1, 3, 10] {
            let mut bench = Bench::server(config(case, burst, 2), App::Silent);
            (case.setup)(&mut bench);
            let most = u64::from(burst + case.used);
            for n in 0..burst {
                allowed(&mut bench, &(case.event)(n), &format!("{}: event {n} of {burst}", case.limit));
            }
            assert_eq!(bench.engine.counter(case.limit), most, "{}", case.limit);
            exceeds(&mut bench, &(case.event)(burst), case.limit, most);
        }
    }
}

#[test]
fn other_budgets_are_not_drawn_on() {
    for case in CASES {
        let mut bench = Bench::server(config(case, 10, 2), App::Silent);
        (case.setup)(&mut bench);
        let counters =
            |bench: &Bench| Limit::ALL.iter().map(|l| bench.engine.counter(*l)).collect::<Vec<_>>();
        let before = counters(&bench);
        allowed(&mut bench, &(case.event)(0), "one event");
        let after = counters(&bench);
        // A frame is counted as what it is, too, whatever comes of it.
        let is_frame = |limit| matches!(limit, Limit::WindowUpdates | Limit::Priorities);
        let moved: Vec<_> = (Limit::ALL.iter().zip(before.iter().zip(&after)))
            .filter(|(limit, (before, after))| {
                before != after && (!is_frame(**limit) || **limit == case.limit)
            })
            .map(|(limit, (before, after))| (*limit, after - before))
            .collect();
        assert_eq!(moved, [(case.limit, 1)]);
    }
}

#[test]
fn time_refills_a_budget() {
    for case in CASES {
        let mut bench = Bench::server(config(case, 3, 2), App::Silent);
        (case.setup)(&mut bench);
        for n in 0..3 {
            allowed(&mut bench, &(case.event)(n), "the burst");
        }
        // Two a second.
        for n in 3..6 {
            bench.pass(Duration::from_millis(500));
            allowed(&mut bench, &(case.event)(n), &format!("{}: half a second is worth one", case.limit));
        }
        bench.pass(Duration::from_millis(499));
        exceeds(&mut bench, &(case.event)(6), case.limit, u64::from(3 + case.used));
    }
}

#[test]
fn an_empty_budget_fills_up_to_its_burst_only() {
    for case in CASES {
        let mut bench = Bench::server(config(case, 3, 2), App::Silent);
        (case.setup)(&mut bench);
        for n in 0..3 {
            allowed(&mut bench, &(case.event)(n), "the burst");
        }
        bench.pass(Duration::from_secs(3600));
        let burst = 3 + case.used;
        for n in 3..3 + burst {
            allowed(&mut bench, &(case.event)(n), &format!("{}: the burst again", case.limit));
        }
        exceeds(&mut bench, &(case.event)(3 + burst), case.limit, burst.into());
    }
}

#[test]
fn quiet_time_with_a_full_budget_buys_nothing() {
    // A bucket holds its burst and no more: "how many events there may be at once".
    for case in CASES.iter().filter(|case| case.used == 0) {
        let mut bench = Bench::server(config(case, 3, 2), App::Silent);
        (case.setup)(&mut bench);
        bench.pass(Duration::from_secs(3600));
        for n in 0..3 {
            allowed(&mut bench, &(case.event)(n), "the burst");
        }
        exceeds(&mut bench, &(case.event)(3), case.limit, 3);
    }
}

#[test]
fn a_peer_that_keeps_to_the_rate_never_sees_the_bottom() {
    // Seven a second for a minute, evenly and by two at a time, with a bucket for three.
    for pattern in [&[1u32][..], &[2, 0], &[0, 2, 1]] {
        let case = CASES.iter().find(|case| case.limit == Limit::Pings).expect("there is one");
        let mut bench = Bench::server(config(case, 3, 7), App::Silent);
        for (step, events) in pattern.iter().cycle().take(420).enumerate() {
            for n in 0..*events {
                allowed(&mut bench, &(case.event)(n), &format!("{pattern:?}: step {step}"));
            }
            bench.pass(Duration::from_nanos(142_857_143)); // a seventh of a second, rounded up
        }
    }
}

#[test]
fn useful_work_pays_for_events() {
    let rates = Rates { window_updates: Rate::new(0, 0), priorities: Rate::new(0, 0), ..Rates::default() };
    // Each stream is worth eight of both, each DATA frame four window updates.
    for (limit, frame) in
        [(Limit::WindowUpdates, Frame::window_update(0, 1)), (Limit::Priorities, Frame::priority(1, 0, 0))]
    {
        let config = Config::default().rates(rates.clone());
        let mut bench = Bench::server(config.clone(), App::Silent);
        allowed(&mut bench, &[get(1)], "a request");
        for _ in 0..8 {
            allowed(&mut bench, std::slice::from_ref(&frame), "paid by the stream");
        }
        exceeds(&mut bench, std::slice::from_ref(&frame), limit, 0);
        let is_update = limit == Limit::WindowUpdates;
        let mut bench = Bench::server(config, App::Answers);
        allowed(&mut bench, &[get(1)], "a request");
        for _ in 0..if is_update { 12 } else { 8 } {
            allowed(&mut bench, std::slice::from_ref(&frame), "paid by the stream and its DATA");
        }
        exceeds(&mut bench, &[frame], limit, 0);
    }
}

#[test]
fn a_stream_that_ends_well_is_worth_one_reset_also_if_it_is_held() {
    let rates = Rates { peer_resets: Rate::new(3, 0), ..Rates::default() };
    let mut bench = Bench::server(Config::default().rates(rates), App::Silent);
    let reset = |n: u32| [get(stream(n)), Frame::rst_stream(stream(n), code::CANCEL)];
    (0..3).for_each(|n| allowed(&mut bench, &reset(n), "the burst"));
    allowed(&mut bench, &[get(stream(3))], "a request");
    let key = bench.key(stream(3));
    bench.engine.hold(key);
    crate::harness::answer(&mut bench.engine, key);
    bench.engine.forget(key, dunlin_http2::ErrorCode::NO_ERROR);
    allowed(&mut bench, &reset(4), "paid by the stream");
    exceeds(&mut bench, &reset(5), Limit::PeerResets, 3);
}

#[test]
fn what_ends_a_stream_is_no_empty_frame() {
    let rates = Rates { empty_frames: Rate::new(0, 0), ..Rates::default() };
    let mut bench = Bench::server(Config::default().rates(rates), App::Silent);
    allowed(&mut bench, &[post(1), Frame::data(1, "").end_stream()], "it does its job");
    assert_eq!(bench.engine.counter(Limit::EmptyFrames), 0);
}

#[test]
fn a_server_does_not_inform_without_end() {
    let rates = Rates { ignored_frames: Rate::new(3, 2), ..Rates::default() };
    let mut bench = Bench::client(Config::default().rates(rates));
    bench.get();
    let informational = Frame::headers(1, Block::of(&[(":status", "103")]));
    for _ in 0..3 {
        allowed(&mut bench, std::slice::from_ref(&informational), "the burst");
    }
    exceeds(&mut bench, &[informational], Limit::IgnoredFrames, 3);
}

#[test]
fn a_server_that_needs_no_more_of_a_request_does_not_pay_for_it() {
    // §8.1: a whole response, then RST_STREAM with NO_ERROR.
    let rates = Rates { peer_resets: Rate::new(0, 0), ..Rates::default() };
    let mut bench = Bench::client(Config::default().rates(rates));
    bench.open("POST", false);
    allowed(&mut bench, &[ok(1).end_stream(), Frame::rst_stream(1, code::NO_ERROR)], "no reset to count");
    bench.open("POST", false);
    exceeds(&mut bench, &[Frame::rst_stream(3, code::NO_ERROR)], Limit::PeerResets, 0);
}
