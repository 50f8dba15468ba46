//! Version 2: a binary header (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{Parsed, Proxied, ProxyHeaderError, ProxyProtocol, tlv};
use crate::address::Address;

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

pub(super) fn parse(bytes: &[u8], settings: &ProxyProtocol) -> Result<Parsed, ProxyHeaderError> {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else {
        return Ok(Parsed::Incomplete { read_up_to: FIXED });
    };
    let local = match (fixed[12] >> 4, fixed[12] & 0x0f) {
        (2, 0) => true,
        (2, 1) => false,
        (2, command) => return Err(ProxyHeaderError::V2Command { command }),
        (version, _) => return Err(ProxyHeaderError::V2Version { version }),
    };
    let len = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let limit = usize::from(settings.max_v2_payload);
    if len > limit {
        return Err(ProxyHeaderError::V2TooLong { len, limit });
    }
    let Some(payload) = rest.get(..len) else {
        return Ok(Parsed::Incomplete { read_up_to: FIXED + len });
    };
    let mut proxied = Proxied { version: 2, local, source: None, destination: None, tlvs: Bytes::new() };
    // Behind LOCAL everything is to be skipped, the family included.
    if !local {
        let (addresses, tlvs) = split_addresses(fixed[13], payload)?;
        check_tlvs(&bytes[..FIXED + len], tlvs)?;
        if let Some((source, destination)) = addresses {
            proxied.source = Some(source);
            proxied.destination = Some(destination);
        }
        if settings.keep_tlvs {
            proxied.tlvs = Bytes::copy_from_slice(tlvs);
        }
    }
    Ok(Parsed::Header { proxied, len: FIXED + len })
}

type Addresses = Option<(Address, Address)>;

/// Source and destination, and the TLVs behind them.
fn split_addresses(family: u8, payload: &[u8]) -> Result<(Addresses, &[u8]), ProxyHeaderError> {
    let needed = match family {
        0x00 => return Ok((None, payload)),
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        // Datagrams among them: this is a stream.
        value => return Err(ProxyHeaderError::V2Family { value }),
    };
    let too_short = ProxyHeaderError::V2TooShort { len: payload.len(), needed };
    let (addresses, tlvs) = payload.split_at_checked(needed).ok_or(too_short)?;
    let pair = match family {
        0x11 => (ip::<4, Ipv4Addr>(addresses, 0), ip::<4, Ipv4Addr>(addresses, 1)),
        0x21 => (ip::<16, Ipv6Addr>(addresses, 0), ip::<16, Ipv6Addr>(addresses, 1)),
        _ => (unix(&addresses[..108]), unix(&addresses[108..])),
    };
    Ok((Some(pair), tlvs))
}

/// The `which`-th of two addresses of `N` bytes, and its port, which stand behind both addresses.
fn ip<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(addresses: &[u8], which: usize) -> Address {
    let mut octets = [0; N];
    octets.copy_from_slice(&addresses[which * N..][..N]);
    let port = &addresses[2 * N + 2 * which..][..2];
    SocketAddr::new(A::from(octets).into(), u16::from_be_bytes([port[0], port[1]])).into()
}

/// A `sun_path`: padded with zeros; an abstract name begins with one.
fn unix(path: &[u8]) -> Address {
    if let [0, name @ ..] = path {
        let len = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        return match &name[..len] {
            [] => Address::UnixUnnamed,
            name => Address::UnixAbstract(name.into()),
        };
    }
    let len = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    Address::UnixPath(String::from_utf8_lossy(&path[..len]).into_owned().into())
}

/// Walks TLVs; a cut off one ends the walk with an error.
pub(super) struct Tlvs<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyHeaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, len, rest) = match self.0 {
            [] => return None,
            [kind, high, low, rest @ ..] => (*kind, u16::from_be_bytes([*high, *low]), rest),
            _ => (0, u16::MAX, &[][..]),
        };
        let Some((value, rest)) = rest.split_at_checked(usize::from(len)) else {
            self.0 = &[];
            return Some(Err(ProxyHeaderError::V2Tlv));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

/// Checks that every TLV is whole, and the checksum where there is one.
fn check_tlvs(header: &[u8], tlvs: &[u8]) -> Result<(), ProxyHeaderError> {
    let mut checksum = None;
    let mut at = header.len() - tlvs.len();
    for entry in Tlvs(tlvs) {
        let (kind, value) = entry?;
        if kind == tlv::CRC32C {
            let sent: [u8; 4] = value.try_into().map_err(|_| ProxyHeaderError::V2ChecksumMalformed)?;
            if checksum.replace((at + 3, u32::from_be_bytes(sent))).is_some() {
                return Err(ProxyHeaderError::V2ChecksumMalformed);
            }
        }
        at += 3 + value.len();
    }
    let Some((at, sent)) = checksum else { return Ok(()) };
    // Section 2.2.3: computed over the whole header with the checksum's own bytes as zeros.
    let computed = !crc32c(crc32c(crc32c(!0, &header[..at]), &[0; 4]), &header[at + 4..]);
    if sent == computed { Ok(()) } else { Err(ProxyHeaderError::V2Checksum { sent, computed }) }
}

/// CRC-32c (Castagnoli, reflected) without the final inversion, so that it can be continued.
pub(super) fn crc32c(start: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { (value >> 1) ^ 0x82f6_3b78 } else { value >> 1 };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    bytes.iter().fold(start, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)])
}
