//! `NO_PROXY`: the hosts that are dialled directly.

use std::net::IpAddr;

use crate::network::IpNetwork;

/// A list of hosts that are dialled directly, as `NO_PROXY` has it: entries between commas or spaces.
///
/// | entry | matches |
/// |---|---|
/// | `example.com` | that host and every one below it |
/// | `.example.com`, `*.example.com` | every host below, not that host |
/// | `10.0.0.1`, `[::1]` | that address |
/// | `10.0.0.0/8`, `2001:db8::/32` | every address of that network |
/// | `example.com:50051`, `10.0.0.1:50051` | the same, for that port only |
/// | `*` | everything |
///
/// Names are compared without regard to case and to a final dot. Addresses match only where an
/// address was given to dial; nothing is looked up. `localhost` and loopback addresses match always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// `None` for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Network(IpNetwork),
    /// This name, and those below it.
    Name(String),
    /// Only the names below this one.
    Below(String),
}

impl NoProxy {
    /// Reads a list. Entries that make no sense match nothing.
    pub fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty());
        Self { entries: entries.map(Entry::parse).collect() }
    }

    /// Whether a host (a name or an address, without brackets) is to be dialled directly at a port.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback()) {
            return true;
        }
        self.entries
            .iter()
            .any(|entry| entry.port.is_none_or(|only| only == port) && entry.hosts.matches(&host, address))
    }
}

impl Entry {
    fn parse(entry: &str) -> Self {
        // An IPv6 address has colons of its own, a network has a slash.
        if let Ok(network) = entry.parse() {
            return Self { hosts: Hosts::Network(network), port: None };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, Some(port)),
                Err(_) => (entry, None),
            },
            None => (entry, None),
        };
        let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let hosts = match unbracketed.parse() {
            Ok(network) => Hosts::Network(network),
            Err(_) => Hosts::parse_name(host),
        };
        Self { hosts, port }
    }
}

impl Hosts {
    fn parse_name(name: &str) -> Self {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if name == "*" {
            return Self::All;
        }
        match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
            Some(parent) => Self::Below(parent.to_owned()),
            None => Self::Name(name),
        }
    }

    fn matches(&self, host: &str, address: Option<IpAddr>) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(address)),
            Self::Name(name) => host == name || (address.is_none() && is_below(host, name)),
            Self::Below(parent) => address.is_none() && is_below(host, parent),
        }
    }
}

/// Whether `host` ends in a dot and `parent`, with something before.
fn is_below(host: &str, parent: &str) -> bool {
    !parent.is_empty()
        && host
            .strip_suffix(parent)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty())
}
