//! Both sides, the link between them, and what has to hold in the end.

#![allow(clippy::disallowed_methods, reason = "the virtual time begins somewhere")]

use std::io::IoSlice;
use std::time::{Duration, Instant};

use dunlin_http2::{Config, Connection, ErrorCode, Rate, Rates, ResetReason};

use crate::peer::{Outcome, Peer};
use crate::pipe::{Pieces, Pipe};
use crate::random::Random;
use crate::script::Script;

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Mixed,
    OneOctet,
    Small,
    Shutdown,
}

pub(crate) struct World {
    profile: Profile,
    random: Random,
    now: Instant,
    client: Peer,
    server: Peer,
    up: Pipe,
    down: Pipe,
    scripts: Vec<Script>,
    next_call: usize,
    is_shutting_down: bool,
    windows: (u32, u32),
}

/// Turns until a run counts as stuck. The longest takes a tenth of them.
const TURNS: usize = 50_000;

fn config(random: &mut Random, profile: Profile, window: u32) -> Config {
    // The peer is honest, but its windows are as small as they come.
    let plenty = Rate::new(10_000_000, 0);
    let rates = Rates {
        peer_resets: plenty,
        local_resets: plenty,
        refused_streams: plenty,
        empty_frames: plenty,
        window_updates: plenty,
        ignored_frames: plenty,
        tiny_windows: plenty,
        ..Rates::default()
    };
    let streams =
        if profile == Profile::Small { random.pick(&[1, 2, 3]) } else { random.pick(&[2, 10, 100]) };
    Config::default()
        .rates(rates)
        .initial_window_size(window)
        .connection_window_size(random.pick(&[65_535, 100_000, 1 << 20]))
        .max_window_size(random.pick(&[0, 100_000, 8 << 20]))
        .max_frame_size(random.pick(&[16_384, 16_384, 100_000]))
        .max_concurrent_streams(streams)
        .header_table_size(random.pick(&[4096, 0, 100, 10_000]))
        .encoder_table_size(random.pick(&[4096, 0, 100, 10_000]))
        .handshake_timeout(Duration::from_secs(3600))
        .send_stall_timeout(Duration::from_secs(3600))
}

impl World {
    pub(crate) fn new(seed: u64, profile: Profile) -> Self {
        let mut random = Random::new(seed);
        let now = Instant::now();
        let sizes: &[u32] = match profile {
            Profile::Small => &[1, 7, 100, 1000],
            _ => &[1000, 65_535, 100_000, 1 << 20],
        };
        let windows = (random.pick(sizes), random.pick(sizes));
        let client = Connection::client(config(&mut random, profile, windows.0), now);
        let server = Connection::server(config(&mut random, profile, windows.1), now);
        let pieces = match profile {
            Profile::OneOctet => Pieces::One,
            _ => random.pick(&[Pieces::Random, Pieces::Whole]),
        };
        let largest = match profile {
            Profile::Mixed | Profile::Shutdown => random.pick(&[100, 5000, 40_000]),
            Profile::OneOctet => 4000,
            // An octet for each round trip takes its time.
            Profile::Small => match windows.0.min(windows.1) {
                1 => 100,
                7 => 500,
                _ => 1500,
            },
        };
        let calls = 1 + random.below(15);
        let scripts = (0..calls).map(|_| Script::new(&mut random, largest)).collect();
        let mut next =
            |salt: u64| Random::new(seed.wrapping_mul(4).wrapping_add(salt) ^ random.below(1000) as u64);
        Self {
            client: Peer::new(client, next(1)),
            server: Peer::new(server, next(2)),
            up: Pipe::new(pieces, next(3), now),
            down: Pipe::new(pieces, next(4), now),
            random: next(5),
            profile,
            now,
            scripts,
            next_call: 0,
            is_shutting_down: false,
            windows,
        }
    }

    pub(crate) fn run(mut self) {
        self.run_until_quiet();
        self.check_calls();
        if self.profile != Profile::Shutdown {
            self.check_windows();
            self.shut_down();
            self.run_until_quiet();
        }
        for side in [&self.client, &self.server] {
            assert_eq!(side.engine.stream_count(), 0, "streams are left");
            assert!(side.engine.is_closed(), "{:?}: the shutdown does not end", side.engine.role());
        }
    }

    fn run_until_quiet(&mut self) {
        for _ in 0..TURNS {
            self.turn();
            if self.is_quiet() {
                return;
            }
        }
        panic!("stuck: {:?} and {:?}", self.client.outcomes, self.server.outcomes);
    }

    fn is_quiet(&mut self) -> bool {
        let may_open = self.next_call < self.scripts.len() && !self.client.is_told_to_go;
        let is_over =
            !self.is_shutting_down || (self.client.engine.is_closed() && self.server.engine.is_closed());
        let is_sent =
            self.client.engine.output_mut().is_empty() && self.server.engine.output_mut().is_empty();
        let is_shutdown_due = self.profile == Profile::Shutdown && !self.is_shutting_down;
        !may_open
            && is_over
            && is_sent
            && !is_shutdown_due
            && self.up.is_empty()
            && self.down.is_empty()
            && self.client.is_idle()
            && self.server.is_idle()
    }

    fn turn(&mut self) {
        self.now += Duration::from_millis(self.random.below(6) as u64);
        if self.next_call < self.scripts.len() && self.random.once_in(3) {
            let is_open = self.client.open(self.next_call, &self.scripts[self.next_call]);
            self.next_call += usize::from(is_open);
        }
        if self.profile == Profile::Shutdown && !self.is_shutting_down {
            let is_time = self.next_call == self.scripts.len() || self.random.once_in(60);
            if is_time {
                self.shut_down();
            }
        }
        let is_small = self.profile == Profile::Small;
        let now = self.now;
        let mut most = || if is_small { 1 + self.random.below(2000) } else { usize::MAX };
        step(&mut self.client, now, self.down.arrive(now), &self.scripts, is_small);
        self.up.push(now, written(&mut self.client.engine, most()));
        step(&mut self.server, now, self.up.arrive(now), &self.scripts, is_small);
        self.down.push(now, written(&mut self.server.engine, most()));
    }

    fn shut_down(&mut self) {
        self.is_shutting_down = true;
        self.server.engine.shut_down(self.now);
    }

    /// What became of each call.
    fn check_calls(&self) {
        let untouched = |reason: &ResetReason| {
            matches!(reason, ResetReason::NotProcessed | ResetReason::Remote(ErrorCode::REFUSED_STREAM))
        };
        for (call, script) in self.scripts.iter().enumerate() {
            let is_accepted = self.server.begun.contains(&call);
            let Some(outcome) = self.client.outcomes.get(&call) else {
                assert!(!self.client.begun.contains(&call), "call {call} never ended");
                assert!(!is_accepted && self.is_shutting_down, "call {call} was never opened");
                continue;
            };
            match outcome {
                Outcome::Reset(reason) if untouched(reason) => {
                    assert!(!is_accepted, "call {call} was accepted, and then lost: {script:?}");
                }
                Outcome::Complete => assert!(is_accepted, "call {call}"),
                Outcome::Ours => assert!(script.client_resets, "call {call}"),
                Outcome::Reset(reason) => {
                    assert!(script.server_resets, "call {call}: {reason:?}");
                    assert_eq!(*reason, ResetReason::Remote(ErrorCode::CANCEL), "call {call}");
                }
            }
            if is_accepted && script.is_undisturbed() {
                assert_eq!(*outcome, Outcome::Complete, "call {call}");
                let wanted = if script.is_early { None } else { Some(&Outcome::Complete) };
                let seen = self.server.outcomes.get(&call);
                assert!(wanted.is_none() || seen == wanted, "call {call}: {seen:?}");
            }
        }
    }

    /// All windows are what they were: so much passes without that anything is released, in both
    /// directions. Half of a window may not be told yet.
    fn check_windows(&mut self) {
        for side in [&mut self.client, &mut self.server] {
            assert_eq!(side.engine.stream_count(), 0, "streams are left");
            let before = side.engine.memory();
            side.engine.shrink();
            let after = side.engine.memory();
            assert!(after < before, "{:?}: {after} bytes of {before}", side.engine.role());
            assert_eq!(side.engine.held(), after, "{:?}: nothing is queued or unread", side.engine.role());
            side.releases_late = true;
        }
        let within = |window: u32| window.min(65_535 / 2) as usize;
        self.scripts.push(Script::plain(within(self.windows.1), within(self.windows.0)));
        self.run_until_quiet();
        let last = self.scripts.len() - 1;
        assert_eq!(self.client.outcomes.get(&last), Some(&Outcome::Complete));
    }
}

/// One turn of a side, as its driver would do it.
fn step(side: &mut Peer, now: Instant, pieces: Vec<Vec<u8>>, scripts: &[Script], is_small: bool) {
    pieces.iter().for_each(|piece| side.read(now, piece, scripts));
    side.play(scripts, is_small);
    if side.engine.poll_timeout(now).is_some_and(|deadline| deadline <= now) {
        side.engine.handle_timeout(now).expect("nobody is late");
    }
    side.engine.transmit(now).expect("nobody is hostile");
    // What came of something else than input.
    side.read(now, &[], scripts);
}

/// Takes up to so many octets of the output, the way a socket does.
fn written(engine: &mut Connection, most: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    let output = engine.output_mut();
    while octets.len() < most && !output.is_empty() {
        let mut slices = [IoSlice::new(&[]); 3];
        let count = output.io_slices(&mut slices);
        let before = octets.len();
        slices[..count].iter().for_each(|slice| octets.extend_from_slice(slice));
        octets.truncate(most);
        output.advance(octets.len() - before);
    }
    octets
}
