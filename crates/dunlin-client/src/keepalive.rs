//! How often a channel asks its connections for a sign of life, and what it learns from servers that find
//! that too often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dunlin_http2::{Config, ErrorCode, Keepalive};

/// What a client may ask at most; servers count strikes.
const MIN_TIME: Duration = Duration::from_secs(10);

/// The settings of connections to come. Those that are there keep what they have.
#[derive(Debug)]
pub(crate) struct Configs {
    next: Mutex<Config>,
}

impl Configs {
    pub(crate) fn new(config: Config) -> Self {
        let keepalive = config.keepalive_settings();
        let raised = keepalive.map(|asked| asked.with_time(asked.time().max(MIN_TIME)));
        Self { next: Mutex::new(config.keepalive(raised)) }
    }

    /// For a new connection, which may take so long to become ready.
    pub(crate) fn next(&self, handshake: Duration) -> Config {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).clone().handshake_timeout(handshake)
    }

    /// A server has ended a connection that asked every `time`: the next ones take twice as long. Gives the
    /// time from now on.
    pub(crate) fn slow_down(&self, time: Duration) -> Option<Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let current = next.keepalive_settings()?;
        // Many connections may be ended for the same time.
        let time = time.saturating_mul(2).max(current.time());
        if time > current.time() {
            *next = next.clone().keepalive(current.with_time(time));
        }
        Some(time)
    }
}

/// Whether this GOAWAY is that of a server that was asked too often. The text is the protocol here.
pub(crate) fn is_too_many_pings(code: ErrorCode, debug: &[u8]) -> bool {
    code == ErrorCode::ENHANCE_YOUR_CALM && debug == b"too_many_pings"
}

/// The socket option that does the same for what is written and never acknowledged.
pub(crate) fn user_timeout(config: &Config) -> Option<Duration> {
    config.keepalive_settings().map(|keepalive: Keepalive| keepalive.silence_allowed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(configs: &Configs) -> Option<Duration> {
        configs.next(MIN_TIME).keepalive_settings().map(|keepalive| keepalive.time())
    }

    #[test]
    fn short_times_are_raised_and_doubled_once_for_all_who_had_them() {
        const SECOND: Duration = Duration::from_secs(1);
        let configs = Configs::new(Config::default().keepalive(Keepalive::every(SECOND)));
        assert_eq!(time(&configs), Some(10 * SECOND));
        for _ in 0..3 {
            assert_eq!(configs.slow_down(10 * SECOND), Some(20 * SECOND));
        }
        assert_eq!(configs.slow_down(20 * SECOND), Some(40 * SECOND));
        assert_eq!(configs.slow_down(10 * SECOND), Some(40 * SECOND), "an old connection");
        assert_eq!(time(&configs), Some(40 * SECOND));
        let off = Configs::new(Config::default());
        assert_eq!((off.slow_down(10 * SECOND), time(&off)), (None, None));
    }
}
