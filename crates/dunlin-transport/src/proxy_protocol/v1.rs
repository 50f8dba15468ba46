//! Version 1: a line of text (section 2.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{MAX_V1_LEN, Parsed, Proxied, ProxyHeaderError};
use crate::address::Address;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let seen = &bytes[..bytes.len().min(MAX_V1_LEN)];
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if seen.len() < MAX_V1_LEN {
            Ok(Parsed::Incomplete { read_up_to: MAX_V1_LEN })
        } else {
            Err(ProxyHeaderError::V1TooLong { limit: MAX_V1_LEN })
        };
    };
    let mut proxied =
        Proxied { version: 1, local: false, source: None, destination: None, tlvs: Bytes::new() };
    let line = &bytes[SIGNATURE.len()..end];
    // Whatever stands behind UNKNOWN is to be ignored.
    if line != b"UNKNOWN" && !line.starts_with(b"UNKNOWN ") {
        let (source, destination) = addresses(line)?;
        proxied.source = Some(source);
        proxied.destination = Some(destination);
    }
    Ok(Parsed::Header { proxied, len: end + 2 })
}

fn addresses(line: &[u8]) -> Result<(Address, Address), ProxyHeaderError> {
    let malformed = |field| move || ProxyHeaderError::V1Malformed { field };
    let line = str::from_utf8(line).map_err(|_| malformed("character")())?;
    // Exactly one space between fields; one more makes an empty field, which no parser below takes.
    let mut fields = line.split(' ');
    let address: fn(&str) -> Option<IpAddr> = match fields.next() {
        Some("TCP4") => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some("TCP6") => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return Err(malformed("protocol")()),
    };
    let source = fields.next().and_then(address).ok_or_else(malformed("source address"))?;
    let destination = fields.next().and_then(address).ok_or_else(malformed("destination address"))?;
    let source_port = fields.next().and_then(port).ok_or_else(malformed("source port"))?;
    let destination_port = fields.next().and_then(port).ok_or_else(malformed("destination port"))?;
    if fields.next().is_some() {
        return Err(malformed("field behind the ports")());
    }
    Ok((SocketAddr::new(source, source_port).into(), SocketAddr::new(destination, destination_port).into()))
}

/// Digits without a sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}
