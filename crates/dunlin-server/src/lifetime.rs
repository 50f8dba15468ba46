//! How long a connection lives: its age, how long nobody calls on it, how many requests it takes.
//!
//! An end of this kind costs no call: the client is told in two steps, as at a shutdown, and goes to
//! another connection. So balancers get to spread clients anew, and certificates and addresses that
//! have changed are noticed.

use std::time::{Duration, Instant};

use dunlin_http2::{Connection, ErrorCode};

/// What bounds it; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) idle: Option<Duration>,
    pub(crate) age: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    pub(crate) requests: Option<u64>,
}

/// By this part ages are longer or shorter by chance, so that connections that began together do not
/// all end together.
const JITTER: f64 = 0.1;

/// The lifetime of one connection.
#[derive(Debug)]
pub(crate) struct Lifetime {
    limits: Limits,
    /// Most servers set none of them, and a turn should not pay for that.
    is_bounded: bool,
    stage: Stage,
    ages_at: Option<Instant>,
    requests: u64,
    /// Requests that had begun when it was looked at last.
    noted: u64,
    /// Since then no call is open.
    idle_since: Option<Instant>,
    looked_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The client is being told.
    Ending,
    /// It knows; its calls may go on until then.
    Grace(Option<Instant>),
}

impl Lifetime {
    /// `chance` is from 0 to 1.
    pub(crate) fn new(limits: Limits, now: Instant, chance: f64) -> Self {
        let factor = 1.0 + (chance * 2.0 - 1.0) * JITTER;
        let jittered = |age: Duration| Duration::try_from_secs_f64(age.as_secs_f64() * factor).unwrap_or(age);
        Self {
            limits,
            is_bounded: limits != Limits::default(),
            stage: Stage::Open,
            ages_at: limits.age.and_then(|age| now.checked_add(jittered(age))),
            requests: 0,
            noted: 0,
            idle_since: Some(now),
            looked_at: now,
        }
    }

    /// Of calls that come over no connection of ours.
    #[cfg(feature = "tower")]
    pub(crate) fn unbounded(now: Instant) -> Self {
        Self::new(Limits::default(), now, 0.0)
    }

    /// A request has come.
    pub(crate) fn begin(&mut self) {
        self.requests += 1;
    }

    /// Once in a turn, with the calls that are open.
    #[inline]
    pub(crate) fn look(&mut self, connection: &mut Connection, open: usize, now: Instant) {
        if self.is_bounded {
            self.note(connection, open, now);
        }
    }

    fn note(&mut self, connection: &mut Connection, open: usize, now: Instant) {
        self.looked_at = now;
        if open > 0 {
            self.idle_since = None;
        } else if self.idle_since.is_none() || self.noted != self.requests {
            self.idle_since = Some(now);
        }
        self.noted = self.requests;
        if self.stage == Stage::Open && self.limits.requests.is_some_and(|most| self.requests >= most) {
            self.end(connection, now, "max_requests");
        }
        if self.stage == Stage::Ending && connection.is_draining() {
            self.stage = Stage::Grace(self.limits.grace.and_then(|grace| now.checked_add(grace)));
        }
    }

    /// When [`Self::timeout`] has something to do, with the calls that are open.
    #[inline]
    pub(crate) fn poll_timeout(&self, open: usize) -> Option<Instant> {
        if self.is_bounded { self.deadline(open) } else { None }
    }

    fn deadline(&self, open: usize) -> Option<Instant> {
        match self.stage {
            Stage::Open => {
                let idle = self.limits.idle.filter(|_| open == 0).and_then(|idle| {
                    // The last call may have ended after the look; then there is one more.
                    self.idle_since.map_or(Some(self.looked_at), |since| since.checked_add(idle))
                });
                idle.into_iter().chain(self.ages_at).min()
            }
            Stage::Ending => None,
            Stage::Grace(until) => until,
        }
    }

    pub(crate) fn timeout(&mut self, connection: &mut Connection, open: usize, now: Instant) {
        self.look(connection, open, now);
        let is_past = |since: Option<Instant>, wait: Option<Duration>| match (since, wait) {
            (Some(since), Some(wait)) => now.saturating_duration_since(since) >= wait,
            _ => false,
        };
        match self.stage {
            Stage::Open if self.ages_at.is_some_and(|at| at <= now) => self.end(connection, now, "max_age"),
            Stage::Open if open == 0 && is_past(self.idle_since, self.limits.idle) => {
                self.end(connection, now, "max_idle");
            }
            Stage::Grace(Some(until)) if until <= now => {
                connection.close(ErrorCode::NO_ERROR, "max_connection_age_grace");
            }
            _ => {}
        }
    }

    fn end(&mut self, connection: &mut Connection, now: Instant, why: &'static str) {
        self.stage = Stage::Ending;
        connection.shut_down_for(now, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ages_differ_by_a_tenth_at_most() {
        let now = Instant::now();
        let limits = Limits { age: Some(100 * SECOND), ..Limits::default() };
        for (chance, wanted) in [(0.0, 90), (0.5, 100), (1.0, 110)] {
            let lifetime = Lifetime::new(limits, now, chance);
            assert_eq!(lifetime.poll_timeout(7), Some(now + wanted * SECOND));
        }
    }

    #[test]
    fn an_idle_time_begins_with_the_end_of_the_last_call() {
        let start = Instant::now();
        let mut connection = Connection::server(dunlin_http2::Config::default(), start);
        let limits = Limits { idle: Some(10 * SECOND), ..Limits::default() };
        let mut lifetime = Lifetime::new(limits, start, 0.5);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 10 * SECOND));
        lifetime.begin();
        lifetime.look(&mut connection, 1, start + SECOND);
        assert_eq!(lifetime.poll_timeout(1), None);
        lifetime.look(&mut connection, 0, start + 5 * SECOND);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 15 * SECOND));
        // A look alone changes nothing; a call that came and went since does.
        lifetime.look(&mut connection, 0, start + 6 * SECOND);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 15 * SECOND));
        lifetime.begin();
        lifetime.look(&mut connection, 0, start + 7 * SECOND);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 17 * SECOND));
        // One that ended behind the last look is looked at again at once.
        lifetime.look(&mut connection, 1, start + 8 * SECOND);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 8 * SECOND));
        lifetime.timeout(&mut connection, 0, start + 9 * SECOND);
        assert_eq!(lifetime.poll_timeout(0), Some(start + 19 * SECOND));
        assert!(!connection.is_draining());
    }
}
