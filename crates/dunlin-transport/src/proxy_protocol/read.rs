//! Reading a header off a connection.

use bytes::{Buf, Bytes};

use super::{Mode, Parsed, Proxied, ProxyHeaderError, ProxyProtocol, parse};
use crate::address::Address;
use crate::io::{self, Io};

/// Why a connection's PROXY protocol header could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyReadError {
    /// A header is required and the connection begins with something else; often the balancer is not
    /// told to send one.
    #[error("connection without the required PROXY protocol header")]
    Missing,
    /// A header is required, and this peer may not send one.
    #[error("{peer} is not among the trusted sources of PROXY protocol headers")]
    Untrusted {
        /// The peer of the socket.
        peer: Address,
    },
    /// The header is wrong.
    #[error("invalid PROXY protocol header")]
    Header(#[from] ProxyHeaderError),
    /// The connection ended inside of the header.
    #[error("connection ended after {len} bytes of its PROXY protocol header")]
    Ended {
        /// How many bytes came.
        len: usize,
    },
    /// The connection failed.
    #[error("connection lost while reading its PROXY protocol header")]
    Io(#[from] std::io::Error),
}

/// Reads the header that `settings` ask for from a fresh connection, and gives the connection as it
/// is behind the header: bytes that were read too early are read again from it.
///
/// It waits for as long as the peer stays silent; the caller brings the timeout. Dropping the future
/// drops the connection.
///
/// # Errors
///
/// See [`ProxyReadError`].
pub async fn read_header(
    mut connection: Io,
    peer: &Address,
    settings: &ProxyProtocol,
) -> Result<(Io, Option<Proxied>), ProxyReadError> {
    match (settings.mode, settings.trusts(peer)) {
        (Mode::Off, _) | (Mode::Optional, false) => return Ok((connection, None)),
        (Mode::Required, false) => return Err(ProxyReadError::Untrusted { peer: peer.clone() }),
        (Mode::Optional | Mode::Required, true) => {}
    }
    let mut seen = Vec::new();
    loop {
        let read_up_to = match parse(&seen, settings)? {
            Parsed::Incomplete { read_up_to } => read_up_to,
            Parsed::Absent if settings.mode == Mode::Required => return Err(ProxyReadError::Missing),
            Parsed::Absent => return Ok((connection.with_prefix(seen.into()), None)),
            Parsed::Header { proxied, len } => {
                let mut rest = Bytes::from(seen);
                rest.advance(len);
                return Ok((connection.with_prefix(rest), Some(proxied)));
            }
        };
        if io::read_more(&mut connection, &mut seen, read_up_to).await? == 0 {
            return match settings.mode {
                Mode::Required => Err(ProxyReadError::Ended { len: seen.len() }),
                // What came is not a header, so it is whatever the layer above makes of it.
                Mode::Off | Mode::Optional => Ok((connection.with_prefix(seen.into()), None)),
            };
        }
    }
}
