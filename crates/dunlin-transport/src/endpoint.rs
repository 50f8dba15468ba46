//! Where to listen or dial, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::address::Address;

/// The longest unix socket path or abstract name in bytes: what fits into `sockaddr_un` beside its
/// terminating or leading zero.
pub const MAX_UNIX_NAME: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// A place to listen on or to connect to.
///
/// | written | means |
/// |---|---|
/// | `127.0.0.1:50051`, `[::]:50051`, `127.0.0.1:0` | an address; port 0 lets the system choose (listening only) |
/// | `localhost:50051` | a name, looked up through the operating system |
/// | `unix:/run/shop.sock`, `unix:///run/shop.sock`, `unix:relative.sock` | a unix socket |
/// | `unix-abstract:shop` | a unix socket in Linux's abstract name space |
///
/// It is not a target: `dns:///`, `xds:///` and their like belong to the channel, which resolves them
/// into endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A TCP address.
    Ip(SocketAddr),
    /// A host name and a TCP port.
    Host {
        /// The name as written, without a port.
        host: Box<str>,
        /// The TCP port.
        port: u16,
    },
    /// A unix socket with a file.
    UnixPath(PathBuf),
    /// A unix socket in Linux's abstract name space, without the leading zero.
    UnixAbstract(Box<[u8]>),
}

/// Why a text is not an [`Endpoint`]; each message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Nothing was written.
    #[error("an empty endpoint; write host:port or unix:/path")]
    Empty,
    /// A name or an address without a port.
    #[error("`{given}` has no port; write {given}:50051")]
    MissingPort {
        /// What was written.
        given: String,
    },
    /// A port without a name or an address.
    #[error(
        "`{given}` has no host; write [::]{given} for all addresses or localhost{given} for this machine"
    )]
    MissingHost {
        /// What was written.
        given: String,
    },
    /// The part behind the last colon is no number from 0 to 65535.
    #[error("port `{port}` of `{given}` is not a number from 0 to 65535")]
    InvalidPort {
        /// What was written.
        given: String,
        /// The part taken for the port.
        port: String,
    },
    /// An IPv6 address with a port needs brackets, since both use colons.
    #[error("`{given}` is an IPv6 address without brackets; write [address]:port, as in [::1]:50051")]
    MissingBrackets {
        /// What was written.
        given: String,
    },
    /// What stands between brackets is no IPv6 address.
    #[error("`{given}` has no IPv6 address between its brackets; write it as in [::1]:50051")]
    InvalidIpv6 {
        /// What was written.
        given: String,
    },
    /// A host with characters that no name has.
    #[error("`{host}` is not a host name; letters, digits, `-`, `_` and `.` are allowed, up to 253")]
    InvalidHost {
        /// The part taken for the host.
        host: String,
    },
    /// `*:port`, which other software reads as all addresses.
    #[error("`*` is not a host name; write [::]:{port} for all addresses, IPv6 and IPv4")]
    Wildcard {
        /// The part behind the star.
        port: String,
    },
    /// A URL or a target with a scheme that endpoints do not have.
    #[error("`{scheme}:` does not belong in an endpoint; write host:port or unix:/path")]
    Scheme {
        /// The scheme, without its colon.
        scheme: String,
    },
    /// `unix://host/path`.
    #[error("`{given}` names a host; write unix:///path with three slashes, or unix:path")]
    UnixAuthority {
        /// What was written.
        given: String,
    },
    /// A unix path or abstract name that is empty, too long, or holds a zero byte where none may be.
    #[error("a unix socket name has {len} bytes; 1 to {limit} without a zero byte are allowed")]
    UnixName {
        /// Its length in bytes.
        len: usize,
        /// The platform's limit, [`MAX_UNIX_NAME`].
        limit: usize,
    },
}

impl Endpoint {
    /// The endpoint that reaches `address`, for instance that of a listener; `None` for what nobody
    /// can dial by an address: unnamed unix sockets and in-process pipes.
    pub fn from_address(address: &Address) -> Option<Self> {
        match address {
            Address::Ip(address) => Some(Self::Ip(*address)),
            Address::UnixPath(path) => Some(Self::UnixPath(path.clone())),
            Address::UnixAbstract(name) => Some(Self::UnixAbstract(name.clone())),
            Address::UnixUnnamed | Address::InProcess => None,
        }
    }

    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(address) => Some(address.port()),
            Self::Host { port, .. } => Some(*port),
            Self::UnixPath(_) | Self::UnixAbstract(_) => None,
        }
    }

    /// The name that TLS checks by default: the host or the address as written. Unix sockets have
    /// none and are checked as `localhost`, as the other gRPC implementations do.
    pub fn tls_name(&self) -> String {
        match self {
            Self::Ip(address) => address.ip().to_string(),
            Self::Host { host, .. } => host.to_string(),
            Self::UnixPath(_) | Self::UnixAbstract(_) => "localhost".to_owned(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(given: &str) -> Result<Self, EndpointError> {
        if given.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Some(path) = given.strip_prefix("unix:") {
            return parse_unix_path(given, path);
        }
        if let Some(name) = given.strip_prefix("unix-abstract:") {
            check_unix_name(name, false)?;
            return Ok(Self::UnixAbstract(name.as_bytes().into()));
        }
        if let Ok(address) = given.parse::<SocketAddr>() {
            return Ok(Self::Ip(address));
        }
        if let Some(scheme) = foreign_scheme(given) {
            return Err(EndpointError::Scheme { scheme: scheme.to_owned() });
        }
        parse_host_port(given)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(given: &str) -> Result<Self, EndpointError> {
        given.parse()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
            // Two slashes at the beginning of a path would be read as an authority.
            Self::UnixPath(path) if path.as_os_str().as_encoded_bytes().starts_with(b"//") => {
                write!(f, "unix://{}", path.display())
            }
            Self::UnixPath(path) => write!(f, "unix:{}", path.display()),
            Self::UnixAbstract(name) => write!(f, "unix-abstract:{}", name.escape_ascii()),
        }
    }
}

fn parse_unix_path(given: &str, path: &str) -> Result<Endpoint, EndpointError> {
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err(EndpointError::UnixAuthority { given: given.to_owned() }),
        None => path,
    };
    check_unix_name(path, true)?;
    Ok(Endpoint::UnixPath(path.into()))
}

fn check_unix_name(name: &str, zero_ends_it: bool) -> Result<(), EndpointError> {
    if name.is_empty() || name.len() > MAX_UNIX_NAME || (zero_ends_it && name.contains('\0')) {
        return Err(EndpointError::UnixName { len: name.len(), limit: MAX_UNIX_NAME });
    }
    Ok(())
}

/// The scheme of a URL or of a gRPC target, none of which name a place to dial.
fn foreign_scheme(given: &str) -> Option<&str> {
    let (scheme, rest) = given.split_once(':')?;
    let known = ["dns", "ipv4", "ipv6", "xds", "vsock"].contains(&scheme);
    let targets_a_port = rest.bytes().all(|byte| byte.is_ascii_digit());
    (rest.starts_with("//") || (known && !targets_a_port)).then_some(scheme)
}

fn parse_host_port(given: &str) -> Result<Endpoint, EndpointError> {
    if given.starts_with('[') {
        return Err(bracketed_error(given));
    }
    if given.parse::<Ipv6Addr>().is_ok() || given.matches(':').count() > 1 {
        return Err(EndpointError::MissingBrackets { given: given.to_owned() });
    }
    let Some((host, port)) = given.split_once(':') else {
        return Err(EndpointError::MissingPort { given: given.to_owned() });
    };
    if host.is_empty() {
        return Err(EndpointError::MissingHost { given: given.to_owned() });
    }
    if host == "*" {
        return Err(EndpointError::Wildcard { port: port.to_owned() });
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.len() > 253 || !host.bytes().all(allowed) {
        return Err(EndpointError::InvalidHost { host: host.to_owned() });
    }
    let port = parse_port(given, port)?;
    Ok(match host.parse::<IpAddr>() {
        Ok(address) => Endpoint::Ip(SocketAddr::new(address, port)),
        Err(_) => Endpoint::Host { host: host.into(), port },
    })
}

/// `u16::from_str` also takes a leading plus sign.
fn parse_port(given: &str, port: &str) -> Result<u16, EndpointError> {
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| EndpointError::InvalidPort { given: given.to_owned(), port: port.to_owned() })
}

/// What is wrong with a bracketed text that is no socket address.
fn bracketed_error(given: &str) -> EndpointError {
    let owned = given.to_owned();
    let Some((address, rest)) = given[1..].split_once(']') else {
        return EndpointError::InvalidIpv6 { given: owned };
    };
    // A zone is allowed as a number only, since that is what the socket takes.
    if address.split('%').next().is_none_or(|address| address.parse::<Ipv6Addr>().is_err()) {
        return EndpointError::InvalidIpv6 { given: owned };
    }
    match rest.strip_prefix(':') {
        None => EndpointError::MissingPort { given: owned },
        Some(port) => match parse_port(given, port) {
            Err(error) => error,
            Ok(_) => EndpointError::InvalidIpv6 { given: owned },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_people_write_them_and_shown_again() {
        let host = |host: &str, port| Endpoint::Host { host: host.into(), port };
        for (given, want, shown) in [
            ("127.0.0.1:0", Endpoint::Ip("127.0.0.1:0".parse().unwrap()), "127.0.0.1:0"),
            ("[::]:50051", Endpoint::Ip("[::]:50051".parse().unwrap()), "[::]:50051"),
            ("localhost:50051", host("localhost", 50051), "localhost:50051"),
            ("my_shop.internal.:443", host("my_shop.internal.", 443), "my_shop.internal.:443"),
            ("dns:53", host("dns", 53), "dns:53"), // a host that is called like a scheme
            ("unix:/run/a.sock", Endpoint::UnixPath("/run/a.sock".into()), "unix:/run/a.sock"),
            ("unix:///run/a.sock", Endpoint::UnixPath("/run/a.sock".into()), "unix:/run/a.sock"),
            ("unix:a.sock", Endpoint::UnixPath("a.sock".into()), "unix:a.sock"),
            ("unix:////run/a.sock", Endpoint::UnixPath("//run/a.sock".into()), "unix:////run/a.sock"),
            ("unix-abstract:shop", Endpoint::UnixAbstract(b"shop"[..].into()), "unix-abstract:shop"),
        ] {
            let endpoint = given.parse::<Endpoint>();
            assert_eq!(endpoint, Ok(want), "{given}");
            assert_eq!(endpoint.unwrap().to_string(), shown);
        }
    }

    #[test]
    fn each_wrong_endpoint_is_answered_with_what_to_write_instead() {
        let long = format!("unix:/{}", "a".repeat(200));
        for (given, hint) in [
            ("", "host:port"),
            ("localhost", "localhost:50051"),
            ("10.0.0.1", "10.0.0.1:50051"),
            (":50051", "[::]:50051"),
            ("*:50051", "[::]:50051"),
            ("localhost:http", "port `http`"),
            ("localhost:", "port ``"),
            ("localhost:+80", "port `+80`"),
            ("localhost:65536", "65535"),
            ("::1", "[::1]:50051"),
            ("::1:50051", "brackets"),
            ("[::1]", "[::1]:50051"),
            ("[::1]:", "port ``"),
            ("[::1", "brackets"),
            ("[localhost]:1", "brackets"),
            ("http://localhost:50051", "`http:`"),
            ("dns:///shop:50051", "`dns:`"),
            ("ipv4:10.0.0.1:80", "`ipv4:`"),
            ("sh op:1", "`sh op`"),
            ("user@host:1", "`user@host`"),
            ("unix:", "0 bytes"),
            ("unix:a\0b", "3 bytes"),
            ("unix://run/a.sock", "three slashes"),
            ("unix-abstract:", "0 bytes"),
            (&long, "201 bytes"),
        ] {
            let error = given.parse::<Endpoint>().expect_err(given).to_string();
            assert!(error.contains(hint), "{given:?}: {error}");
        }
    }
}
