//! What a connection offers, and what it takes.

use std::sync::Arc;
use std::time::Duration;

use crate::abuse::{Patience, PingPolicy, Rates};
use crate::connection::Keepalive;
use crate::hpack::ListLimits;

/// The settings of a connection. Cheap to clone, and shared by all connections of a server or client.
///
/// ```
/// use dunlin_http2::Config;
///
/// let config = Config::default().max_concurrent_streams(100).initial_window_size(1 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) max_concurrent_streams: u32,
    pub(crate) initial_window_size: u32,
    pub(crate) connection_window_size: u32,
    pub(crate) max_window_size: u32,
    pub(crate) max_frame_size: u32,
    pub(crate) header_table_size: u32,
    pub(crate) encoder_table_size: u32,
    pub(crate) list_limits: ListLimits,
    pub(crate) max_continuations: u32,
    pub(crate) max_settings_entries: u32,
    pub(crate) max_queued_control_frames: u32,
    pub(crate) max_connection_memory: usize,
    pub(crate) is_extended_connect_enabled: bool,
    pub(crate) never_indexed: Arc<[Box<str>]>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) patience: Patience,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) ping_policy: Option<PingPolicy>,
}

impl Default for Config {
    fn default() -> Self {
        let secrets = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
        Self {
            max_concurrent_streams: 256,
            initial_window_size: 256 << 10,
            connection_window_size: 1 << 20,
            max_window_size: 8 << 20,
            max_frame_size: 16_384,
            header_table_size: 4096,
            encoder_table_size: 4096,
            list_limits: ListLimits { size: 32 << 10, fields: 256 },
            max_continuations: 8,
            max_settings_entries: 32,
            max_queued_control_frames: 1000,
            max_connection_memory: 256 << 20,
            is_extended_connect_enabled: false,
            never_indexed: secrets.into_iter().map(Into::into).collect(),
            rates: Arc::default(),
            patience: Patience {
                handshake: Duration::from_secs(10),
                header_block: Duration::from_secs(10),
                send_stall: Duration::from_secs(300),
            },
            keepalive: None,
            ping_policy: None,
        }
    }
}

impl Config {
    /// Streams that the peer may have open at a time: SETTINGS_MAX_CONCURRENT_STREAMS. 256. More are
    /// refused, and may be tried again. A client allows none, whatever is set here, as servers push
    /// nothing to it.
    pub fn max_concurrent_streams(self, streams: u32) -> Self {
        Self { max_concurrent_streams: streams, ..self }
    }

    /// Bytes that the peer may send on a stream before they are released: SETTINGS_INITIAL_WINDOW_SIZE.
    /// 256 KiB, at most 2^31 - 1. What grows is the memory that slow readers cost.
    pub fn initial_window_size(self, bytes: u32) -> Self {
        Self { initial_window_size: bytes.min(crate::flow::MAX_WINDOW as u32), ..self }
    }

    /// Bytes that the peer may send on all streams together before they are released. 1 MiB, at least
    /// 65,535, as HTTP/2 has no way to begin with less.
    pub fn connection_window_size(self, bytes: u32) -> Self {
        Self { connection_window_size: bytes.clamp(65_535, crate::flow::MAX_WINDOW as u32), ..self }
    }

    /// The size up to which windows grow when a connection turns out to be long and fast. 8 MiB for
    /// the connection, and a quarter of that for each stream, so that one that is not read leaves the others
    /// something; windows that begin larger stay as they are. 0 turns the
    /// growth off.
    pub fn max_window_size(self, bytes: u32) -> Self {
        Self { max_window_size: bytes.min(crate::flow::MAX_WINDOW as u32), ..self }
    }

    /// Bytes of payload of a frame that the peer may send: SETTINGS_MAX_FRAME_SIZE. 16,384, at most
    /// 16,777,215.
    pub fn max_frame_size(self, bytes: u32) -> Self {
        Self { max_frame_size: bytes.clamp(16_384, (1 << 24) - 1), ..self }
    }

    /// Bytes of the table for the peer's header blocks: SETTINGS_HEADER_TABLE_SIZE. 4,096.
    pub fn header_table_size(self, bytes: u32) -> Self {
        Self { header_table_size: bytes, ..self }
    }

    /// Bytes of the table for our header blocks, if the peer allows as much. 4,096.
    pub fn encoder_table_size(self, bytes: u32) -> Self {
        Self { encoder_table_size: bytes, ..self }
    }

    /// Bytes of a header list (octets of names and values, and 32 for each field):
    /// SETTINGS_MAX_HEADER_LIST_SIZE. 32 KiB. A larger list costs the stream, one four times as large
    /// the connection, and so does a header block in several frames with four times as many octets.
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.list_limits.size = bytes as usize;
        self
    }

    /// Fields of a header list. 256. At most 65,535.
    pub fn max_header_fields(mut self, fields: u16) -> Self {
        self.list_limits.fields = fields.into();
        self
    }

    /// CONTINUATION frames of one header block. 8.
    pub fn max_continuations(self, frames: u32) -> Self {
        Self { max_continuations: frames, ..self }
    }

    /// Settings in one SETTINGS frame. 32.
    pub fn max_settings_entries(self, entries: u32) -> Self {
        Self { max_settings_entries: entries, ..self }
    }

    /// Control frames that wait for the peer to take them. 1,000.
    pub fn max_queued_control_frames(self, frames: u32) -> Self {
        Self { max_queued_control_frames: frames, ..self }
    }

    /// Bytes that a server holds for one connection: content that was not released, header lists of open
    /// requests, and above all answers that the peer does not take. 256 MiB. Above the half of it new
    /// streams are refused, above all of it the connection ends. To be raised where many large answers are
    /// under way on one connection. The engine's tables are not in it, as other settings bound them. A
    /// client has no such limit.
    pub fn max_connection_memory(self, bytes: usize) -> Self {
        Self { max_connection_memory: bytes, ..self }
    }

    /// Whether a server takes extended CONNECT (RFC 8441): SETTINGS_ENABLE_CONNECT_PROTOCOL. No.
    pub fn enable_connect_protocol(self, enable: bool) -> Self {
        Self { is_extended_connect_enabled: enable, ..self }
    }

    /// Names of fields that are never put into a compression table (RFC 7541 §7.1.3). By default
    /// `authorization`, `proxy-authorization`, `cookie` and `set-cookie`.
    pub fn never_indexed(self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self { never_indexed: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// What a peer may cause, and how often; see [`Rates`] for each.
    pub fn rates(self, rates: Rates) -> Self {
        Self { rates: Arc::new(rates), ..self }
    }

    /// How long the peer may take for its preface and to acknowledge our SETTINGS. 10 seconds.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.patience.handshake = timeout;
        self
    }

    /// How long a header block may take from its first to its last frame. 10 seconds.
    pub fn header_block_timeout(mut self, timeout: Duration) -> Self {
        self.patience.header_block = timeout;
        self
    }

    /// How long a stream may have something to send and the peer take nothing of it, before it is
    /// reset. 5 minutes.
    pub fn send_stall_timeout(mut self, timeout: Duration) -> Self {
        self.patience.send_stall = timeout;
        self
    }

    /// Finds out whether the peer is still there; see [`Keepalive`]. Off.
    pub fn keepalive(self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        Self { keepalive: keepalive.into(), ..self }
    }

    /// What [`keepalive`](Self::keepalive) was given.
    pub fn keepalive_settings(&self) -> Option<Keepalive> {
        self.keepalive
    }

    /// How often clients may send PING while a server sends them nothing; see [`PingPolicy`]. As often as
    /// [`Rates::pings`] allows.
    pub fn ping_policy(self, policy: impl Into<Option<PingPolicy>>) -> Self {
        Self { ping_policy: policy.into(), ..self }
    }
}
