//! Who is at each end of a connection.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::proxy_protocol::Proxied;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;

/// The address of one end of a connection, as the operating system reports it.
///
/// It is shown the way an [`Endpoint`](crate::Endpoint) is written, so the address of a listener can
/// be parsed and dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP address. An IPv4 peer of a dual-stack socket is reported as IPv4.
    Ip(SocketAddr),
    /// A unix socket with a file.
    UnixPath(PathBuf),
    /// A unix socket in Linux's abstract name space; the bytes are without the leading zero.
    UnixAbstract(Box<[u8]>),
    /// A unix socket without a name: what the connecting side of a unix socket normally is.
    UnixUnnamed,
    /// An in-process pipe.
    InProcess,
}

impl Address {
    /// The TCP address, if it is one.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            _ => None,
        }
    }
}

/// Dual-stack sockets show IPv4 peers as `::ffff:a.b.c.d`; access lists and logs want them plain.
impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
                Some(v4) => Self::Ip(SocketAddr::new(v4.into(), v6.port())),
                None => Self::Ip(address),
            },
            SocketAddr::V4(_) => Self::Ip(address),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::UnixPath(path) => write!(f, "unix:{}", path.display()),
            Self::UnixAbstract(name) => write!(f, "unix-abstract:{}", name.escape_ascii()),
            Self::UnixUnnamed => f.write_str("unix:"),
            Self::InProcess => f.write_str("in-process"),
        }
    }
}

/// What is known of a connection once it is ready for its first HTTP/2 byte.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Our end of the socket.
    pub local: Address,
    /// The other end of the socket. Behind a load balancer that is the balancer.
    pub peer: Address,
    /// What TLS agreed on; `None` on a connection in clear text.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsInfo>,
    /// What a PROXY protocol header said; `None` where none was read. As true as the peer that wrote
    /// it (see [`ProxyProtocol`](crate::proxy_protocol::ProxyProtocol)).
    pub proxied: Option<Proxied>,
}

impl ConnectionInfo {
    /// A connection in clear text between two addresses.
    pub fn new(local: Address, peer: Address) -> Self {
        Self {
            local,
            peer,
            #[cfg(feature = "tls")]
            tls: None,
            proxied: None,
        }
    }

    /// The address of who began the connection: the source that a PROXY protocol header named, else
    /// the peer.
    pub fn client_address(&self) -> &Address {
        self.proxied.as_ref().and_then(|proxied| proxied.source.as_ref()).unwrap_or(&self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_peer_of_a_dual_stack_socket_is_shown_as_ipv4() {
        for (given, want) in [
            ("[::ffff:10.1.2.3]:443", "10.1.2.3:443"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("10.1.2.3:443", "10.1.2.3:443"),
        ] {
            let address = Address::from(given.parse::<SocketAddr>().unwrap());
            assert_eq!(address.to_string(), want);
        }
    }

    #[test]
    fn addresses_are_shown_the_way_endpoints_are_written() {
        for (address, want) in [
            (Address::UnixPath("/run/a.sock".into()), "unix:/run/a.sock"),
            (Address::UnixAbstract(b"shop"[..].into()), "unix-abstract:shop"),
            (Address::UnixAbstract(b"a\0b"[..].into()), "unix-abstract:a\\x00b"),
            (Address::UnixUnnamed, "unix:"),
            (Address::InProcess, "in-process"),
        ] {
            assert_eq!(address.to_string(), want);
        }
    }
}
