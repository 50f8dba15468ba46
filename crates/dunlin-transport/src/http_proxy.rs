//! Dialling through an HTTP proxy with CONNECT (RFC 9110 §9.3.6).
//!
//! [`ProxySettings`] decide from `HTTPS_PROXY` and `NO_PROXY` which hosts are dialled through which
//! [`HttpProxy`]; [`HttpProxy::tunnel`] turns a connection to the proxy into one to the host.

mod no_proxy;
mod tunnel;

pub use no_proxy::NoProxy;
pub use tunnel::{MAX_RESPONSE_HEAD, TunnelError};

use std::fmt;
use std::str::FromStr;

use crate::endpoint::{Endpoint, EndpointError};

/// An HTTP proxy: where it is, and who we are to it.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy {
    endpoint: Endpoint,
    /// The value of `proxy-authorization`.
    authorization: Option<String>,
}

/// Why a proxy setting is not understood. The setting itself is not shown, as it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyConfigError {
    /// A scheme other than `http://`.
    #[error("proxies of scheme `{scheme}` are not supported; write http://host:port")]
    Scheme {
        /// The scheme given.
        scheme: String,
    },
    /// The host and port are not understood.
    #[error("the proxy's host and port are not understood; write http://host:port")]
    Endpoint(#[from] EndpointError),
    /// A percent sign in the user name or the password without two hexadecimal digits behind it.
    #[error("the proxy's user name or password holds a `%` that is no escape; write %25 for it")]
    UserInfo,
    /// An environment variable that is not UTF-8.
    #[error("environment variable {name} is not UTF-8")]
    NotUtf8 {
        /// The variable.
        name: &'static str,
    },
}

impl HttpProxy {
    /// A proxy that asks for no credentials.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, authorization: None }
    }

    /// Sends a user name and a password as Basic credentials (RFC 7617). They go over the wire
    /// readable for everyone on the way to the proxy.
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        let authorization = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        Self { authorization: Some(authorization), ..self }
    }

    /// Where the proxy listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

/// Reads `http://user:password@host:port`, of which scheme, credentials, and port (80) may be
/// absent.
impl FromStr for HttpProxy {
    type Err = ProxyConfigError;

    fn from_str(given: &str) -> Result<Self, ProxyConfigError> {
        let rest = match given.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => return Err(ProxyConfigError::Scheme { scheme: scheme.to_owned() }),
            None => given,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let (user_info, place) = match authority.rsplit_once('@') {
            Some((user_info, place)) => (Some(user_info), place),
            None => (None, authority),
        };
        let endpoint = match place.parse() {
            Err(EndpointError::MissingPort { .. }) => format!("{place}:80").parse()?,
            parsed => parsed?,
        };
        let proxy = Self::new(endpoint);
        let Some(user_info) = user_info else { return Ok(proxy) };
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        Ok(proxy.basic_auth(&percent_decoded(user)?, &percent_decoded(password)?))
    }
}

/// Without the credentials.
impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProxy")
            .field("endpoint", &self.endpoint)
            .field("authorization", &self.authorization.as_ref().map(|_| "hidden"))
            .finish()
    }
}

/// Which hosts are dialled through a proxy. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxySettings {
    proxy: Option<HttpProxy>,
    no_proxy: NoProxy,
}

impl ProxySettings {
    /// Every host through `proxy`, apart from those that `no_proxy` names and this machine itself.
    pub fn new(proxy: HttpProxy, no_proxy: NoProxy) -> Self {
        Self { proxy: Some(proxy), no_proxy }
    }

    /// Reads the values of the environment variables; an empty value is an absent one.
    ///
    /// # Errors
    ///
    /// If the proxy is not understood. What is not understood in `no_proxy` is a host name that
    /// matches nothing, as everywhere.
    pub fn from_values(https_proxy: Option<&str>, no_proxy: Option<&str>) -> Result<Self, ProxyConfigError> {
        let proxy = match https_proxy.map(str::trim) {
            None | Some("") => None,
            Some(proxy) => Some(proxy.parse()?),
        };
        Ok(Self { proxy, no_proxy: NoProxy::parse(no_proxy.unwrap_or_default()) })
    }

    /// Reads `https_proxy` and `no_proxy` from the environment, else `HTTPS_PROXY` and `NO_PROXY`.
    ///
    /// # Errors
    ///
    /// See [`ProxySettings::from_values`]; also if a value is not UTF-8.
    pub fn from_env() -> Result<Self, ProxyConfigError> {
        let https_proxy = variable(["https_proxy", "HTTPS_PROXY"])?;
        let no_proxy = variable(["no_proxy", "NO_PROXY"])?;
        Self::from_values(https_proxy.as_deref(), no_proxy.as_deref())
    }

    /// The proxy through which `endpoint` is dialled; `None` for direct. Unix sockets, `localhost`
    /// and loopback addresses are always direct.
    pub fn proxy_for(&self, endpoint: &Endpoint) -> Option<&HttpProxy> {
        let (host, port) = match endpoint {
            Endpoint::Ip(address) => (address.ip().to_string(), address.port()),
            Endpoint::Host { host, port } => (host.to_string(), *port),
            Endpoint::UnixPath(_) | Endpoint::UnixAbstract(_) => return None,
        };
        self.proxy.as_ref().filter(|_| !self.no_proxy.matches(&host, port))
    }
}

/// The first variable that is set.
fn variable(names: [&'static str; 2]) -> Result<Option<String>, ProxyConfigError> {
    for name in names {
        match std::env::var(name) {
            Ok(value) => return Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => {}
            Err(std::env::VarError::NotUnicode(_)) => return Err(ProxyConfigError::NotUtf8 { name }),
        }
    }
    Ok(None)
}

fn percent_decoded(text: &str) -> Result<String, ProxyConfigError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(ProxyConfigError::UserInfo);
        };
        bytes.push((high * 16 + low) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| ProxyConfigError::UserInfo)
}

/// Base64 with padding (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = (group >> (18 - 6 * at)) & 0x3f;
            // A chunk of n bytes fills n + 1 characters.
            text.push(if at <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests;
