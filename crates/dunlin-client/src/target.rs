//! Targets: what a channel is to reach.

use std::fmt;
use std::str::FromStr;

use dunlin_transport::{Endpoint, EndpointError};

/// What a channel is to reach, as people write it.
///
/// | written | means |
/// |---|---|
/// | `dns:///shop.example:50051`, `dns:shop.example`, `shop.example:50051` | the addresses of a name |
/// | `ipv4:10.0.0.1:50051,10.0.0.2:50051`, `ipv6:[::1]:50051` | these addresses, in this order |
/// | `unix:/run/shop.sock`, `unix-abstract:shop` | a unix socket |
///
/// A name without a port has 443 with TLS, and 80 without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    text: Box<str>,
    authority: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name to look up, and its port if it says one.
    Dns { host: Box<str>, port: Option<u16> },
    /// Addresses that need no lookup.
    Fixed(Vec<Endpoint>),
    /// Addresses without a port.
    FixedHosts(Vec<Box<str>>),
    /// Whatever a resolver of the application makes of it.
    Other,
}

/// Why a text is no [`Target`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nothing was written, or nothing behind the scheme.
    #[error("the target `{given}` names nothing; write dns:///host:port or unix:/path")]
    Empty {
        /// What was written.
        given: String,
    },
    /// A scheme that no resolver is for.
    #[error(
        "the target `{given}` has the scheme `{scheme}`; known are dns, ipv4, ipv6, unix and unix-abstract"
    )]
    Scheme {
        /// What was written.
        given: String,
        /// Its scheme.
        scheme: String,
    },
    /// `dns://SERVER/...`.
    #[error(
        "the target `{given}` names a DNS server; only the system's resolver is used: write dns:///host:port"
    )]
    DnsServer {
        /// What was written.
        given: String,
    },
    /// An address that is none.
    #[error("the target `{given}` has an address that is none")]
    Address {
        /// What was written.
        given: String,
        /// What is wrong with it.
        source: EndpointError,
    },
}

impl Target {
    /// A target that only a resolver of the application understands; `authority` is what servers are called
    /// by and what TLS checks.
    pub fn custom(text: impl Into<String>, authority: impl Into<String>) -> Self {
        let (text, authority): (String, String) = (text.into(), authority.into());
        Self { text: text.into(), authority: authority.into(), kind: Kind::Other }
    }

    /// What servers are called by: `:authority`, and the name that TLS checks.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }
}

/// The name of an authority, without its port and brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => host,
        _ => authority,
    };
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

impl Target {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let target = |authority: &str, kind| Self { text: text.into(), authority: authority.into(), kind };
        let address = |source| TargetError::Address { given: text.to_owned(), source };
        let empty = || TargetError::Empty { given: text.to_owned() };
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme @ ("dns" | "ipv4" | "ipv6" | "unix" | "unix-abstract"), rest)) => (scheme, rest),
            Some((scheme, rest)) if rest.starts_with("//") => {
                return Err(TargetError::Scheme { given: text.to_owned(), scheme: scheme.to_owned() });
            }
            _ => ("dns", text),
        };
        match scheme {
            "unix" | "unix-abstract" => {
                let endpoint = text.parse().map_err(address)?;
                Ok(target("localhost", Kind::Fixed(vec![endpoint])))
            }
            "ipv4" | "ipv6" => {
                let parts: Vec<&str> = rest.trim_start_matches('/').split(',').map(str::trim).collect();
                if parts.iter().any(|part| part.is_empty()) {
                    return Err(empty());
                }
                let has_port = |part: &&str| match scheme {
                    "ipv4" => part.contains(':'),
                    _ => part.contains("]:"),
                };
                if parts.iter().any(has_port) {
                    let endpoints = parts.iter().map(|part| part.parse::<Endpoint>());
                    let endpoints = endpoints.collect::<Result<Vec<_>, _>>().map_err(address)?;
                    return Ok(target(parts[0], Kind::Fixed(endpoints)));
                }
                // The port is known later; whether they are addresses, now.
                for part in &parts {
                    format!("{part}:443").parse::<Endpoint>().map_err(address)?;
                }
                let hosts = parts.iter().map(|&part| part.into()).collect();
                Ok(target(parts[0], Kind::FixedHosts(hosts)))
            }
            _ => {
                let name = match rest.strip_prefix("//") {
                    Some(rest) => match rest.split_once('/') {
                        Some(("", name)) => name,
                        Some(_) => return Err(TargetError::DnsServer { given: text.to_owned() }),
                        None => return Err(empty()),
                    },
                    None => rest.strip_prefix('/').unwrap_or(rest),
                };
                if name.is_empty() {
                    return Err(empty());
                }
                let name = if name.starts_with(':') { format!("localhost{name}") } else { name.to_owned() };
                match name.parse::<Endpoint>() {
                    Ok(Endpoint::Host { host, port }) => {
                        Ok(target(&name, Kind::Dns { host, port: Some(port) }))
                    }
                    Ok(endpoint @ Endpoint::Ip(_)) => Ok(target(&name, Kind::Fixed(vec![endpoint]))),
                    Ok(_) => Err(empty()),
                    Err(EndpointError::MissingPort { .. }) => {
                        format!("{name}:443").parse::<Endpoint>().map_err(address)?;
                        Ok(target(&name, Kind::Dns { host: host_of(&name).into(), port: None }))
                    }
                    Err(error) => Err(address(error)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_people_write_them() {
        let dns = |host: &str, port| Kind::Dns { host: host.into(), port };
        let fixed = |list: &[&str]| Kind::Fixed(list.iter().map(|part| part.parse().unwrap()).collect());
        for (text, authority, kind) in [
            ("dns:///shop:50051", "shop:50051", dns("shop", Some(50051))),
            ("dns:shop", "shop", dns("shop", None)),
            ("shop.example:1", "shop.example:1", dns("shop.example", Some(1))),
            (":80", "localhost:80", dns("localhost", Some(80))),
            ("127.0.0.1:9", "127.0.0.1:9", fixed(&["127.0.0.1:9"])),
            ("[::1]:9", "[::1]:9", fixed(&["[::1]:9"])),
            ("ipv4:1.2.3.4:5,6.7.8.9:10", "1.2.3.4:5", fixed(&["1.2.3.4:5", "6.7.8.9:10"])),
            ("ipv4:1.2.3.4", "1.2.3.4", Kind::FixedHosts(vec!["1.2.3.4".into()])),
            ("unix:/run/a.sock", "localhost", fixed(&["unix:/run/a.sock"])),
            ("unix-abstract:a", "localhost", fixed(&["unix-abstract:a"])),
        ] {
            let target: Target = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((target.authority(), target.kind()), (authority, &kind), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, wanted) in [
            ("", "names nothing"),
            ("dns:///", "names nothing"),
            ("xds:///shop", "scheme `xds`"),
            ("https://shop", "scheme `https`"),
            ("dns://8.8.8.8/shop", "names a DNS server"),
            ("ipv4:shop:x", "address that is none"),
            ("a b", "address that is none"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn the_host_of_an_authority() {
        for (authority, host) in
            [("a:1", "a"), ("a", "a"), ("[::1]:2", "::1"), ("[::1]", "::1"), ("::1", "::1")]
        {
            assert_eq!(host_of(authority), host);
        }
    }
}
