//! Addresses of servers, as users of all tools write them.

use super::failure::Failure;

/// Whether others on the way can read along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plaintext,
    Tls,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// What the channel gets: `host:port`, `dns:///host:port`, `unix:/path`.
    pub(crate) target: String,
    /// What the scheme says; other writings leave it to flags.
    pub(crate) security: Option<Security>,
    /// `pkg.Service/Method` behind the host of a URL.
    pub(crate) symbol: Option<String>,
}

impl Address {
    /// Reads `host:port`, `dns:///host:port`, `unix:/path`, `http(s)://host:port[/pkg.Service/Method]` or the
    /// same with `grpc(s)://`; a path only, if `is_unix`.
    pub(crate) fn parse(text: &str, is_unix: bool) -> Result<Self, Failure> {
        let plain = |target: String| Self { target, security: None, symbol: None };
        if text.is_empty() {
            return Err(Failure::Usage("the address is empty; write host:port".to_owned()));
        }
        if is_unix {
            return Ok(plain(if text.starts_with("unix:") {
                text.to_owned()
            } else {
                format!("unix:{text}")
            }));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(plain(text.to_owned())) };
        let security = match scheme.to_ascii_lowercase().as_str() {
            "http" | "grpc" => Security::Plaintext,
            "https" | "grpcs" => Security::Tls,
            "dns" | "unix" | "ipv4" | "ipv6" | "unix-abstract" => return Ok(plain(text.to_owned())),
            "xds" => {
                return Err(Failure::Usage(format!(
                    "`{text}`: xDS is not supported; write host:port or dns:///host:port"
                )));
            }
            _ => {
                return Err(Failure::Usage(format!(
                    "`{text}`: the scheme `{scheme}` is not known; known are dns, unix, http, https, grpc and grpcs"
                )));
            }
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return Err(Failure::Usage(format!("`{text}` names no host; write {scheme}://host:port")));
        }
        if path.split('/').count() > 2 || path.contains(['?', '#']) {
            return Err(Failure::Usage(format!(
                "`{text}`: behind the host only `/pkg.Service/Method` may follow"
            )));
        }
        let symbol = Some(path.trim_end_matches('/')).filter(|path| !path.is_empty());
        Ok(Self { target: host.to_owned(), security: Some(security), symbol: symbol.map(str::to_owned) })
    }

    /// Whether this is rather an address than the name of something in a schema.
    pub(crate) fn is_likely(text: &str) -> bool {
        text.contains(':') || text.starts_with('/') && text.matches('/').count() > 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        use Security::{Plaintext, Tls};
        for (text, target, security, symbol) in [
            ("localhost:50051", "localhost:50051", None, None),
            ("[::1]:1", "[::1]:1", None, None),
            ("dns:///shop:50051", "dns:///shop:50051", None, None),
            ("unix:/run/a.sock", "unix:/run/a.sock", None, None),
            ("unix:///run/a.sock", "unix:///run/a.sock", None, None),
            ("http://a:1", "a:1", Some(Plaintext), None),
            ("grpc://a:1", "a:1", Some(Plaintext), None),
            ("https://a", "a", Some(Tls), None),
            ("GRPCS://a:1/", "a:1", Some(Tls), None),
            ("https://a:1/p.S/M", "a:1", Some(Tls), Some("p.S/M")),
            ("http://a:1/p.S", "a:1", Some(Plaintext), Some("p.S")),
        ] {
            let want = Address { target: target.into(), security, symbol: symbol.map(str::to_owned) };
            assert_eq!(Address::parse(text, false).ok(), Some(want), "{text}");
        }
        assert_eq!(Address::parse("/run/a.sock", true).unwrap().target, "unix:/run/a.sock");
        for text in ["", "xds:///a", "ftp://a", "http://", "http://a/b/c/d", "http://a/b?c"] {
            assert!(matches!(Address::parse(text, false), Err(Failure::Usage(_))), "{text}");
        }
    }
}
