//! The settings of connections: how they begin, how long they live, how they end.

use std::fmt;
use std::time::Duration;

use dunlin_http2::{Config, Keepalive, PingPolicy};
use dunlin_transport::accept::{AcceptorBuilder, AtLimit};
use dunlin_transport::proxy_protocol::ProxyProtocol;

use super::{BuildError, Builder};
use crate::lifetime::Limits;

/// What a builder collects of them.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    pub(super) keepalive: Option<Keepalive>,
    pub(super) ping_policy: PingPolicy,
    pub(crate) limits: Limits,
    pub(super) handshake_timeout: Duration,
    pub(super) max_handshakes: usize,
    pub(super) at_limit: AtLimit,
    pub(super) proxy_protocol: ProxyProtocol,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            keepalive: Some(Keepalive::every(Duration::from_secs(2 * 3600))),
            ping_policy: PingPolicy::default(),
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            max_handshakes: 1_000,
            at_limit: AtLimit::Wait,
            proxy_protocol: ProxyProtocol::default(),
        }
    }
}

/// Pings in a shorter time would be a load of their own.
const MIN_KEEPALIVE: Duration = Duration::from_secs(1);

impl Connections {
    pub(super) fn engine(&self, config: Config) -> Config {
        let keepalive = self.keepalive.map(|asked| asked.with_time(asked.time().max(MIN_KEEPALIVE)));
        config.keepalive(keepalive).ping_policy(self.ping_policy).handshake_timeout(self.handshake_timeout)
    }

    pub(crate) fn acceptor(&self, builder: AcceptorBuilder) -> AcceptorBuilder {
        builder
            .handshake_timeout(self.handshake_timeout)
            .max_handshakes(self.max_handshakes)
            .at_limit(self.at_limit)
            .proxy_protocol(self.proxy_protocol.clone())
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        let limits = &self.limits;
        let times = [
            ("keepalive", self.keepalive.map(|keepalive| keepalive.time())),
            ("max_connection_idle", limits.idle),
            ("max_connection_age", limits.age),
            ("handshake_timeout", Some(self.handshake_timeout)),
        ];
        let zero = |setting, value: &dyn fmt::Display, wanted| {
            Err(BuildError::Value { setting, value: value.to_string(), wanted })
        };
        for (setting, time) in times {
            if time.is_some_and(|time| time.is_zero()) {
                return zero(setting, &0, "more than 0");
            }
        }
        if limits.requests == Some(0) {
            return zero("max_requests_per_connection", &0, "at least 1");
        }
        if self.max_handshakes == 0 {
            return zero("max_handshakes", &0, "at least 1");
        }
        if limits.grace.is_some() && limits.age.is_none() && limits.requests.is_none() {
            return Err(BuildError::Contradiction {
                first: "max_connection_age_grace",
                second: "max_connection_age",
                why: "there is a grace, and no age or number of requests that it would follow".to_owned(),
            });
        }
        Ok(())
    }
}

impl Builder {
    /// How clients that are gone without a word are found out: a PING after a silence, with or without open
    /// calls, and the end of the connection, whose calls are cancelled, if nothing follows. Every 2 hours,
    /// with 20 seconds for anything to come; `None` turns it off. Less than a second is taken as one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dunlin_server::{Keepalive, Server};
    ///
    /// let server = Server::builder()
    ///     .keepalive(Keepalive::every(Duration::from_secs(60)).timeout(Duration::from_secs(10)))
    ///     .permit_keepalive_time(Duration::from_secs(30))
    ///     .max_connection_age(Duration::from_secs(3600))
    ///     .max_connection_age_grace(Duration::from_secs(300))
    ///     .build()?;
    /// # Ok::<(), dunlin_server::BuildError>(())
    /// ```
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.connections.keepalive = keepalive.into();
        self
    }

    /// The time that clients have to let pass between two PINGs while they are sent nothing. 5 minutes. One
    /// that comes sooner is a strike; see [`max_ping_strikes`](Self::max_ping_strikes). Clients with a
    /// shorter keepalive of their own need this to be as short.
    pub fn permit_keepalive_time(mut self, time: Duration) -> Self {
        self.connections.ping_policy = self.connections.ping_policy.permit_time(time);
        self
    }

    /// Whether clients may send PING as often while they have no call open; otherwise every 2 hours. No.
    pub fn permit_keepalive_without_calls(mut self, permit: bool) -> Self {
        self.connections.ping_policy = self.connections.ping_policy.permit_without_calls(permit);
        self
    }

    /// Strikes that are forgiven until something is sent again; one more ends the connection with
    /// ENHANCE_YOUR_CALM and `too_many_pings`, upon which clients ask less often. 2.
    pub fn max_ping_strikes(mut self, strikes: u32) -> Self {
        self.connections.ping_policy = self.connections.ping_policy.max_strikes(strikes);
        self
    }

    /// Ends connections on which no call was open for so long: GOAWAY with `max_idle`. No limit.
    pub fn max_connection_idle(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.connections.limits.idle = time.into();
        self
    }

    /// Ends connections at this age, a tenth longer or shorter by chance: GOAWAY with `max_age`. Calls go on,
    /// and clients lose none. No limit.
    pub fn max_connection_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.connections.limits.age = age.into();
        self
    }

    /// How long calls may go on once a connection was ended for its age, or its requests, and the client knows:
    /// then they are cut off. No limit.
    pub fn max_connection_age_grace(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.connections.limits.grace = grace.into();
        self
    }

    /// Ends connections that have carried so many requests: GOAWAY with `max_requests`. What the client sends
    /// until it knows is still taken, so there may be some more. No limit.
    pub fn max_requests_per_connection(mut self, requests: impl Into<Option<u64>>) -> Self {
        self.connections.limits.requests = requests.into();
        self
    }

    /// How long a connection may take from being accepted to being ready for calls: the PROXY protocol, TLS,
    /// the preface, and SETTINGS with their acknowledgement. 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.connections.handshake_timeout = timeout;
        self
    }

    /// Connections of a listener that may be in their PROXY protocol or TLS handshake at a time; the next ones
    /// wait in the kernel. 1,000. What grows is the work that strangers can claim at once.
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.connections.max_handshakes = handshakes;
        self
    }

    /// What becomes of connections beyond [`max_connections`](Self::max_connections). They wait.
    pub fn at_max_connections(mut self, at_limit: AtLimit) -> Self {
        self.connections.at_limit = at_limit;
        self
    }

    /// Reads the PROXY protocol, by which balancers say who the client is. Off.
    pub fn proxy_protocol(mut self, proxy_protocol: ProxyProtocol) -> Self {
        self.connections.proxy_protocol = proxy_protocol;
        self
    }
}
