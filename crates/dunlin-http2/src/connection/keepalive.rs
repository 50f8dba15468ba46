//! Whether the peer is still there: a PING after a silence, and the end of the connection if nothing
//! follows.

use std::time::{Duration, Instant};

use super::{Connection, Role};
use crate::error::ConnectionError;
use crate::frame;

/// What the PING of a keepalive carries.
const KEEPALIVE: [u8; 8] = *b"keepaliv";
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);

/// How a connection finds out that its peer is gone without a word: after `time` without any octet it sends
/// a PING, and if still nothing has come `timeout` later, it ends.
///
/// The silence is measured from the last octet that was read, whatever it belonged to. A server asks
/// whether or not there are streams; a client only while there are, unless it is told otherwise. One that
/// opens a stream after a longer silence asks at once.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_http2::{Config, Keepalive};
///
/// let keepalive = Keepalive::every(Duration::from_secs(30)).timeout(Duration::from_secs(5));
/// let config = Config::default().keepalive(keepalive);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Keepalive {
    time: Duration,
    timeout: Duration,
    without_calls: bool,
}

impl Keepalive {
    /// A PING after `time` of silence, and 20 seconds for anything to come.
    pub const fn every(time: Duration) -> Self {
        Self { time, timeout: Duration::from_secs(20), without_calls: false }
    }

    /// How long the peer may stay silent after the PING. 20 seconds, and 10 milliseconds at least, as an
    /// answer takes its time.
    pub const fn timeout(self, timeout: Duration) -> Self {
        let is_possible = timeout.as_millis() >= LEAST_TIMEOUT.as_millis();
        Self { timeout: if is_possible { timeout } else { LEAST_TIMEOUT }, ..self }
    }

    /// Whether a client asks though no stream is open. No; servers may take it amiss.
    pub const fn without_calls(self, without_calls: bool) -> Self {
        Self { without_calls, ..self }
    }

    /// The same with another time.
    pub const fn with_time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    /// The silence before a PING.
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// The silence after a PING that ends the connection.
    pub const fn silence_allowed(&self) -> Duration {
        self.timeout
    }
}

/// When the peer was heard of.
#[derive(Debug)]
pub(super) struct Life {
    heard_at: Instant,
    /// A PING went out then, and nothing has come since.
    asked_at: Option<Instant>,
}

impl Life {
    pub(super) fn new(now: Instant) -> Self {
        Self { heard_at: now, asked_at: None }
    }

    /// Something came. This is all that a read costs; deadlines are worked out when a timer is to be set.
    #[inline]
    pub(super) fn hear(&mut self, now: Instant) {
        self.heard_at = now;
        self.asked_at = None;
    }
}

impl Connection {
    /// The next PING, or the end that follows it. `None` while nobody asks.
    pub(super) fn keepalive_deadline(&self) -> Option<Instant> {
        let keepalive = self.config.keepalive?;
        if let Some(asked_at) = self.life.asked_at {
            // Also when the last stream is gone meanwhile: the question stands.
            return asked_at.checked_add(keepalive.timeout);
        }
        let asks = self.role == Role::Server || keepalive.without_calls || self.concurrent > 0;
        // The peer's preface has a deadline of its own.
        if !asks || !self.is_established() {
            return None;
        }
        self.life.heard_at.checked_add(keepalive.time)
    }

    /// The deadline may have passed.
    pub(super) fn keep_alive(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if self.keepalive_deadline().is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        if self.life.asked_at.is_some() {
            let allowed = self.config.keepalive.map_or(Duration::ZERO, |keepalive| keepalive.timeout);
            return Err(ConnectionError::Keepalive { allowed });
        }
        self.life.asked_at = Some(now);
        // HEADERS that woke it are in front: to a server that counts strikes, the PING comes with a call.
        self.output.write(|out| frame::write_ping(out, 0, KEEPALIVE));
        Ok(())
    }

    /// An answer to a keepalive, which is no event. That something came was noted already.
    pub(super) fn is_keepalive(opaque: [u8; 8]) -> bool {
        opaque == KEEPALIVE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::frame::PREFACE;
    use crate::{ErrorCode, Event, Field};

    const TIME: Duration = Duration::from_secs(60);
    const TIMEOUT: Duration = Duration::from_secs(20);
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0keepaliv";
    const PONG: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0keepaliv";

    fn read(connection: &mut Connection, now: Instant, mut bytes: &[u8]) -> usize {
        while connection.poll_event(now, &mut bytes).expect("no error").is_some() {}
        bytes.len()
    }

    fn written(connection: &mut Connection, now: Instant) -> Vec<u8> {
        connection.transmit(now).expect("no error");
        let mut bytes = Vec::new();
        connection.output_mut().take_into(&mut bytes);
        bytes
    }

    fn client(keepalive: Keepalive, now: Instant) -> Connection {
        let mut connection = Connection::client(Config::default().keepalive(keepalive), now);
        read(&mut connection, now, SETTINGS);
        written(&mut connection, now);
        connection
    }

    fn server(now: Instant) -> Connection {
        let config = Config::default().keepalive(Keepalive::every(TIME).timeout(TIMEOUT));
        let mut connection = Connection::server(config, now);
        read(&mut connection, now, &[PREFACE, SETTINGS].concat());
        written(&mut connection, now);
        connection
    }

    fn open(connection: &mut Connection) -> crate::StreamKey {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        let fields = fields.map(|(name, value)| Field::new(name, value));
        connection.open(&fields[..], false).expect("a stream")
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up() {
        let start = Instant::now();
        let mut server = server(start);
        assert_eq!(server.poll_timeout(start), Some(start + TIME));
        let early = start + TIME - Duration::from_millis(1);
        server.handle_timeout(early).expect("it is not time yet");
        assert_eq!(written(&mut server, early), b"");
        let asked = start + TIME;
        server.handle_timeout(asked).expect("a question is no end");
        assert_eq!(written(&mut server, asked), PING);
        assert_eq!(server.poll_timeout(asked), Some(asked + TIMEOUT));
        server.handle_timeout(asked + TIMEOUT - Duration::from_millis(1)).expect("there is time left");
        let error = server.handle_timeout(asked + TIMEOUT).expect_err("nothing came");
        assert_eq!(error, ConnectionError::Keepalive { allowed: TIMEOUT });
        assert_eq!(error.to_string(), "nothing came within 20s after a keepalive PING");
        assert_eq!(error.code(), ErrorCode::NO_ERROR);
        assert!(server.is_closed());
    }

    #[test]
    fn any_octet_is_a_sign_of_life_and_the_time_counts_from_the_last_one() {
        let start = Instant::now();
        let mut server = server(start);
        let asked = start + TIME;
        server.handle_timeout(asked).expect("a question");
        written(&mut server, asked);
        // The first octets of a frame, at the very time of the question.
        assert_eq!(read(&mut server, asked, &PONG[..3]), 3);
        let later = asked + Duration::from_secs(5);
        assert_eq!(read(&mut server, later, PONG), 0);
        assert_eq!(server.poll_timeout(later), Some(later + TIME));
        // What was set before fires early, and changes nothing.
        server.handle_timeout(asked + TIMEOUT).expect("it was heard of");
        assert_eq!(written(&mut server, later), b"");
    }

    #[test]
    fn the_answer_is_no_event() {
        let start = Instant::now();
        let mut server = server(start);
        server.handle_timeout(start + TIME).expect("a question");
        let mut bytes = PONG;
        assert!(server.poll_event(start + TIME, &mut bytes).expect("no error").is_none());
        // One that the application sent is.
        let mut bytes = &b"\0\0\x08\x06\x01\0\0\0\0another!"[..];
        let event = server.poll_event(start + TIME, &mut bytes).expect("no error");
        assert!(matches!(event, Some(Event::Pong { opaque }) if &opaque == b"another!"));
    }

    #[test]
    fn a_client_without_streams_does_not_ask() {
        let start = Instant::now();
        let mut client = client(Keepalive::every(TIME).timeout(TIMEOUT), start);
        assert_eq!(client.poll_timeout(start), None);
        let key = open(&mut client);
        assert_eq!(client.poll_timeout(start), Some(start + TIME));
        client.forget(key, ErrorCode::CANCEL);
        written(&mut client, start);
        client.handle_timeout(start + TIME).expect("nothing");
        assert_eq!(written(&mut client, start + TIME), b"");
    }

    #[test]
    fn a_client_that_may_ask_without_streams_does() {
        let start = Instant::now();
        let mut client = client(Keepalive::every(TIME).without_calls(true), start);
        client.handle_timeout(start + TIME).expect("a question");
        assert_eq!(written(&mut client, start + TIME), PING);
    }

    #[test]
    fn a_stream_after_a_long_silence_asks_at_once() {
        let start = Instant::now();
        let mut client = client(Keepalive::every(TIME).timeout(TIMEOUT), start);
        let late = start + 10 * TIME;
        let key = open(&mut client);
        assert!(client.poll_timeout(late).is_some_and(|deadline| deadline <= late));
        client.handle_timeout(late).expect("a question");
        let bytes = written(&mut client, late);
        assert!(bytes.ends_with(PING) && bytes.len() > PING.len(), "HEADERS first: {bytes:?}");
        // The stream ends, and the question stands: who does not answer is gone.
        client.forget(key, ErrorCode::CANCEL);
        assert_eq!(client.handle_timeout(late + TIMEOUT).expect_err("gone").code(), ErrorCode::NO_ERROR);
    }

    #[test]
    fn a_time_that_never_comes_is_no_overflow_and_one_that_is_over_at_once_is_raised() {
        assert_eq!(Keepalive::every(TIME).timeout(Duration::ZERO).silence_allowed(), LEAST_TIMEOUT);
        let start = Instant::now();
        let mut client = client(Keepalive::every(Duration::MAX).without_calls(true), start);
        assert_eq!(client.poll_timeout(start), None);
    }
}
