//! Settings that both sides have.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{KeyLog, KeyLogFile, NoKeyLog, SupportedProtocolVersion};

use super::error::{TlsHandshakeError, protocols};
use super::info::{TlsInfo, TlsVersion};
use super::{ALPN_H2, MissingAlpn};

#[derive(Clone, Debug)]
pub(super) struct Common {
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) missing_alpn: MissingAlpn,
    pub(super) min_version: TlsVersion,
    pub(super) resumption: bool,
    pub(super) key_log: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            alpn: vec![ALPN_H2.to_vec()],
            missing_alpn: MissingAlpn::default(),
            min_version: TlsVersion::default(),
            resumption: true,
            key_log: false,
        }
    }
}

impl Common {
    pub(super) fn set_alpn(&mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) {
        self.alpn = protocols.into_iter().map(Into::into).collect();
    }

    /// The versions from the lowest on.
    pub(super) fn versions(&self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self.min_version {
            TlsVersion::Tls12 => &ALL,
            TlsVersion::Tls13 => &ALL[..1],
        }
    }

    pub(super) fn key_log(&self) -> Arc<dyn KeyLog> {
        if self.key_log { Arc::new(KeyLogFile::new()) } else { Arc::new(NoKeyLog {}) }
    }

    /// Whether a protocol was agreed on, if one has to be.
    pub(super) fn check(&self, info: &TlsInfo) -> Result<(), TlsHandshakeError> {
        let is_wanted = self.missing_alpn == MissingAlpn::Refuse && !self.alpn.is_empty();
        if info.alpn.is_none() && is_wanted {
            return Err(TlsHandshakeError::MissingAlpn { ours: protocols(&self.alpn) });
        }
        Ok(())
    }
}
