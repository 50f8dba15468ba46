//! The settings of connections: how they are made, and for how long they are kept.

use std::time::Duration;

use dunlin_http2::Keepalive;
use dunlin_transport::SocketOptions;
use dunlin_transport::http_proxy::ProxySettings;

use super::ChannelBuilder;
use crate::backoff::Backoff;

impl ChannelBuilder {
    /// Options of each socket.
    pub fn socket_options(mut self, options: SocketOptions) -> Self {
        self.options = options;
        self
    }

    /// Which servers are reached through an HTTP proxy. None.
    pub fn proxy(mut self, proxy: ProxySettings) -> Self {
        self.proxy = proxy;
        self
    }

    /// How long an address may take to give a connection that is ready, which the server's first SETTINGS make
    /// it. 20 s; after failures as long as the [backoff](Self::backoff), if that is longer, as the next attempt
    /// begins no earlier.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long to wait after failures.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How servers that are gone without a word are found out: a PING after a silence while calls are open, and
    /// the end of the connection, whose calls are UNAVAILABLE, if nothing follows. Off; less than 10 seconds
    /// are taken as 10.
    ///
    /// Servers have to permit it: those of gRPC allow a PING in 5 minutes by default, and end connections that
    /// ask more often. The time then doubles for the next connections, with a warning in the log. Sockets get
    /// the timeout too (`TCP_USER_TIMEOUT`), unless [`socket_options`](Self::socket_options) have one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dunlin_client::{Channel, Keepalive};
    ///
    /// let builder = Channel::builder("shop.example:443").keepalive(Keepalive::every(Duration::from_secs(300)));
    /// let channel = builder.connect_lazy()?;
    /// # Ok::<(), dunlin_client::ChannelError>(())
    /// ```
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.config = self.config.keepalive(keepalive);
        self
    }

    /// Without calls for so long, or up to a quarter longer, connections are given up. 30 minutes.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Connections to one address at most: another one is made when the server allows no more streams on
    /// those there are. 10.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }
}
