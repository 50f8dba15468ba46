//! What a socket is told before it carries bytes.

use std::time::Duration;

/// TCP keepalive: the kernel's probes on a silent connection (RFC 9293 §3.8.4).
///
/// It finds a peer that vanished without a word, for the price of an empty segment per probe. HTTP/2
/// keepalive goes further, since it also finds a peer whose process hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// Silence before the first probe; whole seconds, at least 1.
    pub time: Duration,
    /// Time between probes; `None` leaves the system's value (75 s on Linux).
    pub interval: Option<Duration>,
    /// Unanswered probes after which the connection is dead; `None` leaves the system's value (9 on
    /// Linux).
    pub count: Option<u32>,
}

impl Keepalive {
    /// Probes after `time` of silence, with the system's interval and count.
    pub fn after(time: Duration) -> Self {
        Self { time, interval: None, count: None }
    }

    /// Sets the time between probes.
    #[must_use]
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval: Some(interval), ..self }
    }

    /// Sets how many unanswered probes end the connection.
    #[must_use]
    pub fn count(self, count: u32) -> Self {
        Self { count: Some(count), ..self }
    }
}

/// Options of a connection's socket, on either side.
///
/// Only the buffer sizes apply to unix sockets; an in-process pipe has none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    pub(crate) nodelay: bool,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) send_buffer_size: Option<usize>,
    pub(crate) receive_buffer_size: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: None,
            user_timeout: None,
            send_buffer_size: None,
            receive_buffer_size: None,
        }
    }
}

impl SocketOptions {
    /// Sends small segments at once instead of waiting for the acknowledgement of earlier ones
    /// (`TCP_NODELAY`). Default on: a batch is already written whole, and waiting costs up to 40 ms.
    #[must_use]
    pub fn nodelay(self, nodelay: bool) -> Self {
        Self { nodelay, ..self }
    }

    /// Turns on TCP keepalive. Default off.
    #[must_use]
    pub fn keepalive(self, keepalive: Keepalive) -> Self {
        Self { keepalive: Some(keepalive), ..self }
    }

    /// How long written bytes may stay unacknowledged before the kernel ends the connection
    /// (`TCP_USER_TIMEOUT`, RFC 5482). Milliseconds resolution. Default: the system's, about 15
    /// minutes on Linux. Linux only; elsewhere it is ignored.
    #[must_use]
    pub fn user_timeout(self, timeout: Duration) -> Self {
        Self { user_timeout: Some(timeout), ..self }
    }

    /// The same, unless a time was set already.
    #[must_use]
    pub fn or_user_timeout(self, timeout: Duration) -> Self {
        Self { user_timeout: self.user_timeout.or(Some(timeout)), ..self }
    }

    /// The kernel's send buffer in bytes (`SO_SNDBUF`); Linux doubles it. Default: tuned by the
    /// system, which setting a size turns off.
    #[must_use]
    pub fn send_buffer_size(self, bytes: usize) -> Self {
        Self { send_buffer_size: Some(bytes), ..self }
    }

    /// The kernel's receive buffer in bytes (`SO_RCVBUF`), which bounds the TCP window that the peer
    /// sees; Linux doubles it. Default: tuned by the system, which setting a size turns off.
    #[must_use]
    pub fn receive_buffer_size(self, bytes: usize) -> Self {
        Self { receive_buffer_size: Some(bytes), ..self }
    }
}

/// Options of a listening socket and of the connections that it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    pub(crate) socket: SocketOptions,
    pub(crate) backlog: u32,
    pub(crate) reuse_address: bool,
    pub(crate) reuse_port: bool,
    pub(crate) only_v6: bool,
    pub(crate) unix_mode: Option<u32>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            socket: SocketOptions::default(),
            backlog: 1024,
            reuse_address: cfg!(unix),
            reuse_port: false,
            only_v6: false,
            unix_mode: None,
        }
    }
}

impl ListenerOptions {
    /// Options of each accepted connection.
    #[must_use]
    pub fn socket(self, socket: SocketOptions) -> Self {
        Self { socket, ..self }
    }

    /// How many connections the kernel holds that nobody accepted yet. Default 1024; the system caps
    /// it (`net.core.somaxconn`). What comes on top is refused or has to try again.
    #[must_use]
    pub fn backlog(self, connections: u32) -> Self {
        Self { backlog: connections, ..self }
    }

    /// Takes an address whose earlier connections still linger in TIME_WAIT (`SO_REUSEADDR`), so that
    /// a server can restart at once. Default on, except on Windows, where it means something else.
    #[must_use]
    pub fn reuse_address(self, reuse: bool) -> Self {
        Self { reuse_address: reuse, ..self }
    }

    /// Lets several sockets of the same user listen on one address, between which the kernel spreads
    /// connections (`SO_REUSEPORT`). Default off, since it also hides a second server started by
    /// mistake. Binding fails where the platform lacks it.
    #[must_use]
    pub fn reuse_port(self, reuse: bool) -> Self {
        Self { reuse_port: reuse, ..self }
    }

    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`, RFC 3493 §5.3). Default off: `[::]:port`
    /// listens on both, whatever the system's default is.
    #[must_use]
    pub fn only_v6(self, only: bool) -> Self {
        Self { only_v6: only, ..self }
    }

    /// The permission bits of a unix socket's file, such as `0o660`. Default: what the umask leaves.
    /// They are set before the first connection is possible.
    #[must_use]
    pub fn unix_mode(self, mode: u32) -> Self {
        Self { unix_mode: Some(mode), ..self }
    }
}
