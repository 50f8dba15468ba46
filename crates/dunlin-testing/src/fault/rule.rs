//! When a fault happens.

use std::time::Duration;

use dunlin_grpc::Status;
use dunlin_http2::ErrorCode;
use fastrand::Rng;

use super::{Faults, Target};

/// What happens.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Delay(Duration),
    Fail(Status),
    FailLate(Status),
    Wire(WireKind),
    Refuse,
}

/// What happens below calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireKind {
    Reset(ErrorCode),
    GoAway(ErrorCode),
    Disconnect,
    Truncate,
    CutMessage,
    CutRequest,
}

/// What happens to one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireFault {
    pub(super) kind: WireKind,
    /// Messages that pass before.
    pub(super) after: u64,
}

/// Which calls it happens to, of those that it is for.
#[derive(Clone, Debug)]
enum When {
    Always,
    Never,
    First(u64),
    Nth(u64),
    Chance(f64, Rng),
}

/// One fault.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) target: Target,
    pub(super) action: Action,
    pub(super) after: u64,
    when: When,
    /// Calls that it was for.
    seen: u64,
    /// Calls that it has happened to.
    count: u64,
}

impl Rule {
    pub(super) fn new(target: Target, action: Action) -> Self {
        Self { target, action, after: 0, when: When::Always, seen: 0, count: 0 }
    }

    pub(super) fn disable(&mut self) {
        self.when = When::Never;
    }

    /// There is one more call: whether it happens to it.
    pub(super) fn fires(&mut self) -> bool {
        self.seen += 1;
        let fires = match &mut self.when {
            When::Always => true,
            When::Never => false,
            When::First(count) => self.seen <= *count,
            When::Nth(place) => self.seen == *place,
            When::Chance(probability, rng) => rng.f64() < *probability,
        };
        self.count += u64::from(fires);
        fires
    }
}

/// A fault, to say when it happens: to every call, unless something else is said.
#[derive(Clone, Debug)]
pub struct FaultRule {
    faults: Faults,
    place: usize,
}

impl FaultRule {
    pub(super) fn new(faults: Faults, place: usize) -> Self {
        Self { faults, place }
    }

    fn change(self, change: impl FnOnce(&mut Rule)) -> Self {
        change(&mut self.faults.rules()[self.place]);
        self
    }

    /// To the first call only.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// To the first calls, so many.
    pub fn times(self, calls: u64) -> Self {
        self.change(|rule| rule.when = When::First(calls))
    }

    /// To this one of the calls only, counted from 1.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn nth(self, place: u64) -> Self {
        assert!(place > 0, "calls are counted from 1");
        self.change(|rule| rule.when = When::Nth(place))
    }

    /// To calls by chance, with this probability from 0 to 1. The same seed gives the same calls.
    ///
    /// # Panics
    /// If the probability is none.
    #[track_caller]
    pub fn chance(self, probability: f64, seed: u64) -> Self {
        assert!((0.0..=1.0).contains(&probability), "a probability of {probability}");
        self.change(|rule| rule.when = When::Chance(probability, Rng::with_seed(seed)))
    }

    /// Behind so many messages of a stream: responses, or requests where those are cut. If there are fewer, at
    /// its end.
    ///
    /// # Panics
    /// For faults that do not happen within streams: delays, statuses, connections.
    #[track_caller]
    pub fn after(self, messages: u64) -> Self {
        let is_wire = matches!(self.faults.rules()[self.place].action, Action::Wire(_));
        assert!(is_wire, "`after` counts messages, and this fault does not happen behind any");
        self.change(|rule| rule.after = messages)
    }

    /// How many calls it was meant for so far: those that were chosen when they began.
    pub fn count(&self) -> u64 {
        self.faults.rules()[self.place].count
    }
}
