//! SETTINGS (RFC 9113 §6.5).

use crate::config::Config;
use crate::error::ConnectionError;
use crate::flow::{INITIAL_WINDOW, MAX_WINDOW};
use crate::frame::{StreamId, kind, write_header};

mod id {
    pub(super) const HEADER_TABLE_SIZE: u16 = 1;
    pub(super) const ENABLE_PUSH: u16 = 2;
    pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(super) const MAX_FRAME_SIZE: u16 = 5;
    pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub(super) const ENABLE_CONNECT_PROTOCOL: u16 = 8;
    pub(super) const NO_RFC7540_PRIORITIES: u16 = 9;
}

/// What the peer has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerSettings {
    /// Bytes of its table for our header blocks.
    pub header_table_size: u32,
    /// Streams that we may have open at a time.
    pub max_concurrent_streams: u32,
    /// Bytes that we may send on a new stream.
    pub initial_window_size: i32,
    /// Bytes of payload of a frame.
    pub max_frame_size: u32,
    /// Bytes of a header list, by the peer's advice.
    pub max_header_list_size: u32,
    /// Whether it takes extended CONNECT (RFC 8441).
    pub is_extended_connect_enabled: bool,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            header_table_size: 4096,
            max_concurrent_streams: u32::MAX,
            initial_window_size: INITIAL_WINDOW,
            max_frame_size: 16_384,
            max_header_list_size: u32::MAX,
            is_extended_connect_enabled: false,
        }
    }
}

impl PeerSettings {
    /// Applies one setting after the other; a later one of the same kind counts (RFC 9113 §6.5.3).
    pub(crate) fn apply(&mut self, payload: &[u8], is_from_server: bool) -> Result<(), ConnectionError> {
        let flag = |value: u32, reason| match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(ConnectionError::protocol(reason)),
        };
        for entry in payload.chunks_exact(6) {
            let value = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
            match u16::from_be_bytes([entry[0], entry[1]]) {
                id::HEADER_TABLE_SIZE => self.header_table_size = value,
                id::ENABLE_PUSH => {
                    let is_enabled = flag(value, "SETTINGS_ENABLE_PUSH is neither 0 nor 1 (RFC 9113 6.5.2)")?;
                    if is_enabled && is_from_server {
                        return Err(ConnectionError::protocol(
                            "a server sets SETTINGS_ENABLE_PUSH to 1 (RFC 9113 6.5.2)",
                        ));
                    }
                }
                id::MAX_CONCURRENT_STREAMS => self.max_concurrent_streams = value,
                id::INITIAL_WINDOW_SIZE => {
                    self.initial_window_size = i32::try_from(value).map_err(|_| {
                        ConnectionError::flow_control(
                            "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 (RFC 9113 6.5.2)",
                        )
                    })?;
                }
                id::MAX_FRAME_SIZE => {
                    if !(16_384..=16_777_215).contains(&value) {
                        return Err(ConnectionError::protocol(
                            "SETTINGS_MAX_FRAME_SIZE out of its range (RFC 9113 6.5.2)",
                        ));
                    }
                    self.max_frame_size = value;
                }
                id::MAX_HEADER_LIST_SIZE => self.max_header_list_size = value,
                id::ENABLE_CONNECT_PROTOCOL => {
                    let is_enabled =
                        flag(value, "SETTINGS_ENABLE_CONNECT_PROTOCOL is neither 0 nor 1 (RFC 8441 3)")?;
                    if self.is_extended_connect_enabled && !is_enabled {
                        return Err(ConnectionError::protocol(
                            "SETTINGS_ENABLE_CONNECT_PROTOCOL goes back to 0 (RFC 8441 3)",
                        ));
                    }
                    self.is_extended_connect_enabled = is_enabled;
                }
                id::NO_RFC7540_PRIORITIES => {
                    flag(value, "SETTINGS_NO_RFC7540_PRIORITIES is neither 0 nor 1 (RFC 9218 2.1)")?;
                }
                // RFC 9113 §6.5.2: what is unknown is ignored.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes our SETTINGS. Those with their initial value are left out.
pub(crate) fn write(config: &Config, is_server: bool, out: &mut Vec<u8>) {
    let window = config.initial_window_size.min(MAX_WINDOW as u32);
    let list_size = u32::try_from(config.list_limits.size).unwrap_or(u32::MAX);
    let entries = [
        (id::HEADER_TABLE_SIZE, config.header_table_size, config.header_table_size != 4096),
        (id::ENABLE_PUSH, 0, !is_server),
        // A client allows no streams: nothing is pushed to it.
        (id::MAX_CONCURRENT_STREAMS, if is_server { config.max_concurrent_streams } else { 0 }, true),
        (id::INITIAL_WINDOW_SIZE, window, window != INITIAL_WINDOW as u32),
        (id::MAX_FRAME_SIZE, config.max_frame_size, config.max_frame_size != 16_384),
        (id::MAX_HEADER_LIST_SIZE, list_size, true),
        (id::ENABLE_CONNECT_PROTOCOL, 1, is_server && config.is_extended_connect_enabled),
    ];
    let sent = entries.iter().filter(|(_, _, is_sent)| *is_sent);
    write_header(out, kind::SETTINGS, 0, StreamId::CONNECTION, 6 * sent.clone().count());
    for (id, value, _) in sent {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Writes SETTINGS that change our initial window.
pub(crate) fn write_initial_window(size: u32, out: &mut Vec<u8>) {
    write_header(out, kind::SETTINGS, 0, StreamId::CONNECTION, 6);
    out.extend_from_slice(&id::INITIAL_WINDOW_SIZE.to_be_bytes());
    out.extend_from_slice(&size.to_be_bytes());
}
