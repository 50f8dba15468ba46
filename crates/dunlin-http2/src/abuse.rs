//! Every budget against a hostile peer, in one place.
//!
//! What costs the peer less than us is paid from a bucket: it starts full, each event takes one, and
//! time (for some kinds, useful work too) fills it again. An honest peer never sees the bottom.

use std::fmt;
use std::time::{Duration, Instant};

use crate::error::ConnectionError;

/// How many events there may be at once, and how many more for each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The size of the bucket.
    pub burst: u32,
    /// What comes back in a second.
    pub per_second: u32,
}

impl Rate {
    /// A bucket of `burst` that fills by `per_second`.
    pub const fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second }
    }
}

/// The limits that end a connection; each is named like its setting.
macro_rules! limits {
    (rates { $($(#[$doc:meta])* $name:ident, $setting:ident, $burst:literal, $per_second:literal;)* }
     others { $($(#[$other_doc:meta])* $other:ident, $other_setting:ident;)* }) => {
        /// A budget of a connection, by the name of its setting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Limit {
            $($(#[$doc])* $name,)*
            $($(#[$other_doc])* $other,)*
        }

        impl Limit {
            /// All limits.
            pub const ALL: &'static [Self] = &[$(Self::$name,)* $(Self::$other,)*];

            /// The name of the setting.
            pub const fn setting(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($setting),)*
                    $(Self::$other => stringify!($other_setting),)*
                }
            }
        }

        /// The rates that a peer may cause events at.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Rates {
            $($(#[$doc])* pub $setting: Rate,)*
        }

        impl Default for Rates {
            fn default() -> Self {
                Self { $($setting: Rate::new($burst, $per_second),)* }
            }
        }

        impl Rates {
            const LEN: usize = [$(Limit::$name),*].len();

            fn get(&self, limit: Limit) -> Rate {
                match limit {
                    $(Limit::$name => self.$setting,)*
                    _ => Rate::new(0, 0),
                }
            }
        }
    };
}

limits! {
    rates {
    /// Streams that the peer opened and reset (rapid reset, CVE-2023-44487); each stream that ends
    /// otherwise allows one more. 1,000, and 33 a second.
    PeerResets, peer_resets, 1000, 33;
    /// Streams that we had to reset because of what the peer sent (made you reset, CVE-2025-8671).
    /// 200, and 7 a second.
    LocalResets, local_resets, 200, 7;
    /// Streams that were refused, as too many were open. 2,000, and 100 a second.
    RefusedStreams, refused_streams, 2000, 100;
    /// DATA frames without content and without END_STREAM (CVE-2019-9518). 100, and 10 a second.
    EmptyFrames, empty_frames, 100, 10;
    /// SETTINGS frames (CVE-2019-9515). 100, and 5 a second.
    SettingsFrames, settings_frames, 100, 5;
    /// PING frames that we have to answer (CVE-2019-9512); each frame with content or headers that we
    /// send allows some more. 1,000, and 50 a second.
    Pings, pings, 1000, 50;
    /// WINDOW_UPDATE frames; each stream, and content that we send, allows some more.
    /// 1,000, and 100 a second.
    WindowUpdates, window_updates, 1000, 100;
    /// PRIORITY frames, which mean nothing (CVE-2019-9513); each stream allows some more.
    /// 500, and 10 a second.
    Priorities, priorities, 500, 10;
    /// Frames that are ignored: of unknown types, or for streams that are gone; each stream that we
    /// reset allows as many as its window. 1,000, and 100 a second.
    IgnoredFrames, ignored_frames, 1000, 100;
    /// DATA frames that had to be short because the peer gives its window in crumbs (CVE-2019-9511).
    /// 1,000, and 50 a second.
    TinyWindows, tiny_windows, 1000, 50;
    }
    others {
    /// CONTINUATION frames of one header block (CVE-2024-27316 and others).
    Continuations, max_continuations;
    /// Bytes of one header block, compressed.
    HeaderBlock, max_header_list_size;
    /// Time from the first to the last frame of a header block.
    HeaderBlockTimeout, header_block_timeout;
    /// Settings in one frame.
    SettingsEntries, max_settings_entries;
    /// Answers (acknowledgements and resets) that wait to be taken by the peer.
    QueuedControlFrames, max_queued_control_frames;
    /// PING frames that came too soon after one another, while nothing was sent to the peer.
    PingStrikes, max_ping_strikes;
    /// Bytes that one connection holds.
    ConnectionMemory, max_connection_memory;
    /// Bytes that all connections of a server hold together, when this one has more than its part.
    ServerMemory, max_memory;
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.setting())
    }
}

/// How often clients may send PING while a server sends them neither headers nor content.
///
/// A PING that comes sooner is a strike, and one strike too many ends the connection with ENHANCE_YOUR_CALM
/// and the text `too_many_pings`. What is sent to the client takes all strikes back, so that who measures a
/// connection that is in use never has any; [`Rates::pings`] is what bounds that.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_http2::{Config, PingPolicy};
///
/// let policy = PingPolicy::default().permit_time(Duration::from_secs(60)).permit_without_calls(true);
/// let config = Config::default().ping_policy(policy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PingPolicy {
    permit_time: Duration,
    permit_without_calls: bool,
    max_strikes: u32,
}

impl Default for PingPolicy {
    fn default() -> Self {
        Self { permit_time: Duration::from_secs(5 * 60), permit_without_calls: false, max_strikes: 2 }
    }
}

impl PingPolicy {
    /// The time between two PINGs. 5 minutes.
    pub const fn permit_time(self, time: Duration) -> Self {
        Self { permit_time: time, ..self }
    }

    /// Whether this also holds while no stream is open; otherwise it is two hours then. No.
    pub const fn permit_without_calls(self, permit: bool) -> Self {
        Self { permit_without_calls: permit, ..self }
    }

    /// Strikes that are forgiven. 2.
    pub const fn max_strikes(self, strikes: u32) -> Self {
        Self { max_strikes: strikes, ..self }
    }
}

/// The time between two PINGs without streams, where that is not permitted: that of TCP's keepalive
/// (RFC 1122 §4.2.3.6).
const WITHOUT_STREAMS: Duration = Duration::from_secs(2 * 3600);

/// The PINGs that came while nothing was sent.
#[derive(Debug)]
struct Strikes {
    policy: Option<PingPolicy>,
    count: u32,
    /// `None` if the next one is good whenever it comes.
    last_good: Option<Instant>,
}

/// The budgets of one connection, and how often each was drawn on.
#[derive(Debug)]
pub(crate) struct Abuse {
    strikes: Strikes,
    buckets: [Bucket; Rates::LEN],
    counters: [u64; Limit::ALL.len()],
    rates: std::sync::Arc<Rates>,
    /// Content that was sent, and has not paid for events yet.
    content: Content,
}

/// Pieces and bytes of content.
#[derive(Clone, Copy, Debug, Default)]
struct Content {
    pieces: u32,
    len: u64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u32,
    /// How much it holds when full.
    burst: u32,
    /// Time up to which what it earns is in `left`.
    filled_at: Instant,
}

impl Abuse {
    pub(crate) fn new(rates: std::sync::Arc<Rates>, pings: Option<PingPolicy>, now: Instant) -> Self {
        let bucket = |limit: Limit| {
            let burst = rates.get(limit).burst;
            Bucket { left: burst, burst, filled_at: now }
        };
        let buckets = std::array::from_fn(|index| bucket(Limit::ALL[index]));
        let strikes = Strikes { policy: pings, count: 0, last_good: None };
        Self { strikes, buckets, counters: [0; Limit::ALL.len()], rates, content: Content::default() }
    }

    /// A PING came, which has paid already.
    pub(crate) fn strike(&mut self, now: Instant, has_streams: bool) -> Result<(), ConnectionError> {
        let Some(policy) = self.strikes.policy else { return Ok(()) };
        let wait = match has_streams || policy.permit_without_calls {
            true => policy.permit_time,
            false => WITHOUT_STREAMS,
        };
        let is_good = self.strikes.last_good.is_none_or(|last| now.saturating_duration_since(last) >= wait);
        if is_good {
            self.strikes.last_good = Some(now);
            return Ok(());
        }
        self.strikes.count += 1;
        if self.strikes.count > policy.max_strikes {
            return Err(self.exceeded(Limit::PingStrikes, policy.max_strikes.into()));
        }
        Ok(())
    }

    /// Headers or content were sent: the peer may ask again, and may measure.
    #[inline]
    pub(crate) fn allow_pings(&mut self, count: u32) {
        self.earn(Limit::Pings, count);
        self.strikes.count = 0;
        self.strikes.last_good = None;
    }

    /// One more event of a kind that has a rate.
    #[inline]
    pub(crate) fn spend(&mut self, limit: Limit, now: Instant) -> Result<(), ConnectionError> {
        self.counters[limit as usize] += 1;
        // Events come in batches that have the same time.
        if self.buckets[limit as usize].filled_at != now {
            self.refill(limit, now);
        }
        // There are many more pieces of content than events that it pays for.
        if matches!(limit, Limit::WindowUpdates | Limit::Pings) && self.content.pieces > 0 {
            self.earn_by_content();
        }
        let bucket = &mut self.buckets[limit as usize];
        match bucket.left.checked_sub(1) {
            Some(left) => bucket.left = left,
            None => {
                return Err(ConnectionError::Abuse { limit, allowed: self.rates.get(limit).burst.into() });
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn refill(&mut self, limit: Limit, now: Instant) {
        let rate = self.rates.get(limit);
        let bucket = &mut self.buckets[limit as usize];
        let full = bucket.left.max(rate.burst);
        let elapsed = now.saturating_duration_since(bucket.filled_at).as_nanos();
        let earned = elapsed * u128::from(rate.per_second) / 1_000_000_000;
        if earned >= u128::from(full - bucket.left) {
            bucket.left = full;
            bucket.filled_at = now;
            return;
        }
        // What is not worth a whole event yet is kept.
        let time = earned * 1_000_000_000 / u128::from(rate.per_second.max(1));
        bucket.left += earned as u32;
        bucket.filled_at += Duration::from_nanos(time as u64);
    }

    /// A piece of content was sent. A receiver may give its windows back in pieces as small as it reads, and
    /// may measure its round trip with each frame.
    #[inline]
    pub(crate) fn sent(&mut self, len: usize) {
        self.content.pieces = self.content.pieces.saturating_add(1);
        self.content.len = self.content.len.saturating_add(len as u64);
    }

    fn earn_by_content(&mut self) {
        let Content { pieces, len } = std::mem::take(&mut self.content);
        let by_len = u32::try_from(len / 128).unwrap_or(u32::MAX);
        self.earn(Limit::WindowUpdates, pieces.saturating_mul(4).saturating_add(by_len));
        self.allow_pings(pieces.saturating_mul(2));
    }

    /// Useful work pays for events to come.
    #[inline]
    pub(crate) fn earn(&mut self, limit: Limit, count: u32) {
        let bucket = &mut self.buckets[limit as usize];
        bucket.left = bucket.left.saturating_add(count).min(u32::MAX / 2);
    }

    /// The same, up to the burst.
    #[inline]
    pub(crate) fn earn_back(&mut self, limit: Limit) {
        let bucket = &mut self.buckets[limit as usize];
        if bucket.left < bucket.burst {
            bucket.left += 1;
        }
    }

    /// A limit without a rate is exceeded.
    #[cold]
    pub(crate) fn exceeded(&mut self, limit: Limit, allowed: u64) -> ConnectionError {
        self.counters[limit as usize] += 1;
        ConnectionError::Abuse { limit, allowed }
    }

    pub(crate) fn counter(&self, limit: Limit) -> u64 {
        self.counters[limit as usize]
    }
}

/// How long a peer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) handshake: Duration,
    pub(crate) header_block: Duration,
    pub(crate) send_stall: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_with_time() {
        let start = Instant::now();
        let rates = Rates { pings: Rate::new(3, 2), ..Rates::default() };
        let mut abuse = Abuse::new(std::sync::Arc::new(rates), None, start);
        for _ in 0..3 {
            assert_eq!(abuse.spend(Limit::Pings, start), Ok(()));
        }
        let error = ConnectionError::Abuse { limit: Limit::Pings, allowed: 3 };
        assert_eq!(abuse.spend(Limit::Pings, start), Err(error.clone()));
        assert_eq!(error.to_string(), "more than `pings` allows (3)");
        // Half a second is worth one.
        let later = start + Duration::from_millis(500);
        assert_eq!(abuse.spend(Limit::Pings, later), Ok(()));
        assert_eq!(abuse.spend(Limit::Pings, later), Err(error));
        // However long it was quiet, no more than the burst.
        let much_later = start + Duration::from_secs(3600);
        assert!((0..3).all(|_| abuse.spend(Limit::Pings, much_later).is_ok()));
        assert!(abuse.spend(Limit::Pings, much_later).is_err());
        assert_eq!(abuse.counter(Limit::Pings), 10);
    }

    #[test]
    fn content_earns_window_updates_and_pings() {
        let now = Instant::now();
        let none = Rate::new(0, 0);
        let rates = Rates { window_updates: none, pings: none, ..Rates::default() };
        let mut abuse = Abuse::new(std::sync::Arc::new(rates), None, now);
        (0..3).for_each(|_| abuse.sent(128));
        // Four for each piece, and one for 128 bytes.
        assert!((0..15).all(|_| abuse.spend(Limit::WindowUpdates, now).is_ok()));
        assert!(abuse.spend(Limit::WindowUpdates, now).is_err());
        assert!((0..6).all(|_| abuse.spend(Limit::Pings, now).is_ok()));
        assert!(abuse.spend(Limit::Pings, now).is_err());
    }

    #[test]
    fn useful_work_earns_events() {
        let now = Instant::now();
        let rates = Rates { window_updates: Rate::new(0, 0), ..Rates::default() };
        let mut abuse = Abuse::new(std::sync::Arc::new(rates), None, now);
        abuse.earn(Limit::WindowUpdates, 2);
        assert_eq!(abuse.spend(Limit::WindowUpdates, now), Ok(()));
        assert_eq!(abuse.spend(Limit::WindowUpdates, now), Ok(()));
        assert!(abuse.spend(Limit::WindowUpdates, now).is_err());
    }

    #[test]
    fn pings_that_come_too_soon_are_strikes_until_something_is_sent() {
        const MINUTE: Duration = Duration::from_secs(60);
        let start = Instant::now();
        let mut abuse = Abuse::new(std::sync::Arc::default(), Some(PingPolicy::default()), start);
        let ping = |abuse: &mut Abuse, minutes: u32, has_streams| {
            abuse.strike(start + minutes * MINUTE, has_streams).is_ok()
        };
        // With streams one in five minutes is good. What comes too soon does not move the time on.
        assert!(ping(&mut abuse, 0, true) && ping(&mut abuse, 5, true) && ping(&mut abuse, 10, true));
        assert!(ping(&mut abuse, 11, true) && ping(&mut abuse, 15, true));
        // Without streams it is one in two hours.
        assert!(ping(&mut abuse, 134, false));
        assert!(ping(&mut abuse, 135, false));
        let error = abuse.strike(start + 136 * MINUTE, false).expect_err("the third strike");
        assert_eq!(error, ConnectionError::Abuse { limit: Limit::PingStrikes, allowed: 2 });
        assert_eq!((&*error.debug_data(), error.code().0), ("too_many_pings", 11));
        abuse.allow_pings(1);
        assert!((0..3).all(|_| ping(&mut abuse, 136, false)));
        assert!(!ping(&mut abuse, 136, false));
    }

    #[test]
    fn a_policy_may_permit_pings_without_streams() {
        let start = Instant::now();
        let policy = PingPolicy::default()
            .permit_time(Duration::from_secs(1))
            .permit_without_calls(true)
            .max_strikes(0);
        let mut abuse = Abuse::new(std::sync::Arc::default(), Some(policy), start);
        assert!((0..100).all(|second| abuse.strike(start + Duration::from_secs(second), false).is_ok()));
        assert!(abuse.strike(start + Duration::from_millis(99_999), false).is_err());
    }
}
