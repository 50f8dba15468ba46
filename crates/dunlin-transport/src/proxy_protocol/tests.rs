use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::io::Io;
use crate::pipe;

fn ip(text: &str) -> Option<Address> {
    Some(Address::Ip(text.parse().unwrap()))
}

fn header(version: u8, source: Option<Address>, destination: Option<Address>) -> Proxied {
    Proxied { version, local: false, source, destination, tlvs: Bytes::new() }
}

/// A version 2 header: version and command, family and transport, payload.
fn v2_bytes(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, family], &len, payload].concat()
}

fn v2_tcp4(tlvs: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90, 0x01, 0xbb];
    v2_bytes(0x21, 0x11, &[&addresses, tlvs].concat())
}

fn parse_default(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    parse(bytes, &ProxyProtocol::required())
}

#[test]
fn version_1_takes_its_grammar() {
    let longest_v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for (line, want) in [
        (
            "PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n".to_owned(),
            header(1, ip("192.0.2.1:8080"), ip("198.51.100.2:443")),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n".to_owned(),
            header(1, ip("[2001:db8::1]:0"), ip("[::1]:65535")),
        ),
        (
            format!("PROXY TCP6 {longest_v6} {longest_v6} 65535 65535\r\n"), // 104 bytes
            header(1, ip(&format!("[{longest_v6}]:65535")), ip(&format!("[{longest_v6}]:65535"))),
        ),
        ("PROXY UNKNOWN\r\n".to_owned(), header(1, None, None)),
        // The longest line there is, as the specification gives it.
        (format!("PROXY UNKNOWN {longest_v6} {longest_v6} 65535 65535\r\n"), header(1, None, None)),
        ("PROXY UNKNOWN any thing\r\n".to_owned(), header(1, None, None)),
    ] {
        let mut bytes = line.clone().into_bytes();
        let len = bytes.len();
        assert!(len <= MAX_V1_LEN);
        bytes.extend_from_slice(b"PRI * HTTP/2.0");
        assert_eq!(parse_default(&bytes), Ok(Parsed::Header { proxied: want, len }), "{line:?}");
        for cut in 0..len {
            assert!(matches!(parse_default(&bytes[..cut]), Ok(Parsed::Incomplete { .. })), "{line:?} {cut}");
        }
    }
}

#[test]
fn version_1_takes_nothing_else() {
    for (line, want) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.2 8080 443 \r\n", "field behind the ports"),
        ("PROXY  TCP4 192.0.2.1 198.51.100.2 8080 443\r\n", "protocol"), // two spaces
        ("PROXY TCP4 192.0.2.1  198.51.100.2 8080 443\r\n", "destination address"),
        ("PROXY tcp4 192.0.2.1 198.51.100.2 8080 443\r\n", "protocol"),
        ("PROXY UDP4 192.0.2.1 198.51.100.2 8080 443\r\n", "protocol"),
        ("PROXY UNKNOWNX\r\n", "protocol"),
        ("PROXY \r\n", "protocol"),
        ("PROXY TCP4 192.0.2.01 198.51.100.2 8080 443\r\n", "source address"), // octal to some
        ("PROXY TCP4 2001:db8::1 198.51.100.2 8080 443\r\n", "source address"), // wrong family
        ("PROXY TCP6 192.0.2.1 ::1 8080 443\r\n", "source address"),
        ("PROXY TCP6 ::1%eth0 ::1 8080 443\r\n", "source address"),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 080 443\r\n", "source port"),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 +80 443\r\n", "source port"),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", "source port"),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 80\r\n", "destination port"),
        ("PROXY TCP4 192.0.2.1 198.51.100.2 80 443\n\r\n", "destination port"),
        ("PROXY TCP4 192.0.2.1\0 198.51.100.2 80 443\r\n", "source address"),
    ] {
        let error = ProxyHeaderError::V1Malformed { field: want };
        assert_eq!(parse_default(line.as_bytes()), Err(error), "{line:?}");
    }
    let invalid_utf8 = parse_default(b"PROXY TCP4 \xff 1.1.1.1 1 1\r\n");
    assert_eq!(invalid_utf8, Err(ProxyHeaderError::V1Malformed { field: "character" }));
}

#[test]
fn a_version_1_line_without_an_end_is_given_up_at_107_bytes() {
    let mut line = b"PROXY UNKNOWN ".to_vec();
    line.resize(106, b'x');
    assert_eq!(parse_default(&line), Ok(Parsed::Incomplete { read_up_to: 107 }));
    line.push(b'x');
    assert_eq!(parse_default(&line), Err(ProxyHeaderError::V1TooLong { limit: 107 }));
    // A line end across the border comes too late.
    line[106] = b'\r';
    line.push(b'\n');
    assert_eq!(parse_default(&line), Err(ProxyHeaderError::V1TooLong { limit: 107 }));
    line.remove(20);
    assert!(matches!(parse_default(&line), Ok(Parsed::Header { len: 107, .. })));
}

#[test]
fn version_2_takes_every_family_of_a_stream() {
    let mut tcp6 = [0; 36];
    tcp6[15] = 1;
    tcp6[16..20].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    tcp6[33] = 80;
    tcp6[34] = 1;
    let mut unix = [0; 216];
    unix[..8].copy_from_slice(b"/run/a.s");
    unix[109..113].copy_from_slice(b"shop");
    for (bytes, want) in [
        (v2_tcp4(&[]), header(2, ip("192.0.2.1:8080"), ip("198.51.100.2:443"))),
        (v2_bytes(0x21, 0x21, &tcp6), header(2, ip("[::1]:80"), ip("[2001:db8::]:256"))),
        (
            v2_bytes(0x21, 0x31, &unix),
            header(
                2,
                Some(Address::UnixPath("/run/a.s".into())),
                Some(Address::UnixAbstract(b"shop"[..].into())),
            ),
        ),
        (v2_bytes(0x21, 0x00, &[]), header(2, None, None)), // unspecified: no addresses
        (v2_bytes(0x20, 0x00, &[]), Proxied { local: true, ..header(2, None, None) }),
        // Behind LOCAL nothing counts, neither the family nor broken TLVs.
        (v2_bytes(0x20, 0xff, &[1, 2, 3]), Proxied { local: true, ..header(2, None, None) }),
    ] {
        let len = bytes.len();
        let with_more = [&bytes, &b"PRI *"[..]].concat();
        assert_eq!(parse_default(&with_more), Ok(Parsed::Header { proxied: want, len }));
        for cut in 0..len {
            let read_up_to = if cut < 16 { 16 } else { len };
            assert_eq!(parse_default(&bytes[..cut]), Ok(Parsed::Incomplete { read_up_to }), "{cut}");
        }
    }
}

#[test]
fn version_2_refuses_what_it_does_not_name() {
    let tlv_cut = |bytes: &[u8]| (v2_tcp4(bytes), ProxyHeaderError::V2Tlv);
    for (bytes, want) in [
        (v2_bytes(0x11, 0x11, &[0; 12]), ProxyHeaderError::V2Version { version: 1 }),
        (v2_bytes(0x31, 0x11, &[0; 12]), ProxyHeaderError::V2Version { version: 3 }),
        (v2_bytes(0x22, 0x11, &[0; 12]), ProxyHeaderError::V2Command { command: 2 }),
        (v2_bytes(0x21, 0x12, &[0; 12]), ProxyHeaderError::V2Family { value: 0x12 }), // datagrams
        (v2_bytes(0x21, 0x01, &[0; 12]), ProxyHeaderError::V2Family { value: 0x01 }),
        (v2_bytes(0x21, 0x41, &[0; 216]), ProxyHeaderError::V2Family { value: 0x41 }),
        (v2_bytes(0x21, 0x11, &[0; 11]), ProxyHeaderError::V2TooShort { len: 11, needed: 12 }),
        (v2_bytes(0x21, 0x21, &[0; 35]), ProxyHeaderError::V2TooShort { len: 35, needed: 36 }),
        (v2_bytes(0x21, 0x31, &[0; 12]), ProxyHeaderError::V2TooShort { len: 12, needed: 216 }),
        (v2_bytes(0x21, 0x11, &[0; 4097]), ProxyHeaderError::V2TooLong { len: 4097, limit: 4096 }),
        tlv_cut(&[1]),
        tlv_cut(&[1, 0]),
        tlv_cut(&[1, 0, 2, 7]),
        tlv_cut(&[4, 0xff, 0xff]),
        (v2_tcp4(&[3, 0, 2, 0, 0]), ProxyHeaderError::V2ChecksumMalformed),
    ] {
        assert_eq!(parse_default(&bytes), Err(want), "{bytes:?}");
    }
    // Announced too long: refused before the payload comes.
    let announced = [v2::SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(parse_default(&announced), Err(ProxyHeaderError::V2TooLong { len: 65535, limit: 4096 }));
    assert_eq!(
        parse(&announced, &ProxyProtocol::required().max_v2_payload(u16::MAX)),
        Ok(Parsed::Incomplete { read_up_to: 16 + 65535 })
    );
}

#[test]
fn tlvs_are_kept_in_order_unless_told_otherwise() {
    let bytes = v2_tcp4(&[2, 0, 4, b's', b'h', b'o', b'p', 4, 0, 0, 2, 0, 1, b'x']);
    let Ok(Parsed::Header { proxied, .. }) = parse_default(&bytes) else { panic!() };
    let all: Vec<_> = proxied.tlvs().collect();
    assert_eq!(all, [(2, &b"shop"[..]), (4, b""), (2, b"x")]);
    assert_eq!(proxied.tlv(tlv::AUTHORITY), Some(&b"shop"[..]));
    assert_eq!(proxied.tlv(tlv::UNIQUE_ID), None);
    let skip = ProxyProtocol::required().keep_tlvs(false);
    let Ok(Parsed::Header { proxied, .. }) = parse(&bytes, &skip) else { panic!() };
    assert_eq!(proxied.tlvs().count(), 0);
}

#[test]
fn a_checksum_is_verified_where_there_is_one() {
    assert_eq!(!v2::crc32c(!0, b"123456789"), 0xe306_9283); // the check value of CRC-32c
    let mut bytes = v2_tcp4(&[4, 0, 1, 0, 3, 0, 4, 0, 0, 0, 0, 4, 0, 0]);
    let at = bytes.len() - 7;
    let sum = !v2::crc32c(!0, &bytes);
    bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    assert!(matches!(parse_default(&bytes), Ok(Parsed::Header { .. })));
    for changed in [17, at, bytes.len() - 8] {
        let mut bytes = bytes.clone();
        bytes[changed] ^= 0x40;
        let error = parse_default(&bytes).unwrap_err();
        assert!(matches!(error, ProxyHeaderError::V2Checksum { .. } | ProxyHeaderError::V2Tlv), "{error}");
    }
    let twice = v2_tcp4(&[3, 0, 4, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0]);
    assert_eq!(parse_default(&twice), Err(ProxyHeaderError::V2ChecksumMalformed));
}

#[test]
fn what_is_no_header_is_known_by_its_first_different_byte() {
    for bytes in
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"PRI", b"GET / HTTP/1.1", b"\x16\x03", b"\r\n\r\nX"]
    {
        assert_eq!(parse_default(bytes), Ok(Parsed::Absent), "{bytes:?}");
    }
}

#[test]
fn no_input_makes_the_parser_panic() {
    // A fixed linear generator: the same bytes in each run.
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for round in 0..20_000 {
        let mut bytes = match round % 3 {
            0 => v2_tcp4(&[3, 0, 4, 1, 2, 3, 4, 2, 0, 1, 9]),
            1 => b"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n".to_vec(),
            _ => v2_bytes(0x21, 0x31, &[7; 230]),
        };
        for _ in 0..=next() % 4 {
            let at = usize::from(next()) % bytes.len();
            bytes[at] = next();
        }
        bytes.truncate(usize::from(next()).max(1));
        if let Ok(Parsed::Header { len, .. }) = parse_default(&bytes) {
            assert!(len <= bytes.len());
        }
    }
}

async fn read(
    bytes: &[u8],
    settings: &ProxyProtocol,
    peer: Address,
) -> Result<(Vec<u8>, Option<Proxied>), ProxyReadError> {
    let (near, mut far) = pipe::pair(8192);
    far.write_all(bytes).await.unwrap();
    drop(far);
    let (mut io, proxied) = read_header(Io::Pipe(near), &peer, settings).await?;
    let mut rest = Vec::new();
    io.read_to_end(&mut rest).await.unwrap();
    Ok((rest, proxied))
}

#[tokio::test]
async fn the_bytes_behind_a_header_are_left_to_the_connection() {
    let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n".to_vec();
    for header in [v1, v2_tcp4(&[4, 0, 1, 0])] {
        for settings in [ProxyProtocol::required(), ProxyProtocol::optional()] {
            let bytes = [&header, &b"PRI * HTTP/2.0"[..]].concat();
            let (rest, proxied) = read(&bytes, &settings, Address::InProcess).await.unwrap();
            assert_eq!(rest, b"PRI * HTTP/2.0");
            assert_eq!(proxied.unwrap().source, ip("192.0.2.1:8080"));
        }
    }
}

#[tokio::test]
async fn a_header_that_trickles_in_is_put_together() {
    let (near, mut far) = pipe::pair(1);
    let header = v2_tcp4(&[]);
    let writing = async move {
        far.write_all(&header).await.unwrap();
        far.write_all(b"x").await.unwrap();
        far
    };
    let settings = ProxyProtocol::required();
    let reading = async {
        let (mut io, proxied) = read_header(Io::Pipe(near), &Address::InProcess, &settings).await.unwrap();
        (io.read_u8().await.unwrap(), proxied.unwrap().source)
    };
    let ((byte, source), _far) = tokio::join!(reading, writing);
    assert_eq!((byte, source), (b'x', ip("192.0.2.1:8080")));
}

#[tokio::test]
async fn a_connection_without_a_header_is_kept_only_where_it_is_optional() {
    let error = read(b"PRI * HTTP/2.0", &ProxyProtocol::required(), Address::InProcess).await;
    assert!(matches!(error, Err(ProxyReadError::Missing)));
    let (rest, proxied) =
        read(b"PRI * HTTP/2.0", &ProxyProtocol::optional(), Address::InProcess).await.unwrap();
    assert_eq!((&rest[..], proxied), (&b"PRI * HTTP/2.0"[..], None));
    let error = read(b"PROX", &ProxyProtocol::required(), Address::InProcess).await;
    assert!(matches!(error, Err(ProxyReadError::Ended { len: 4 })));
    let (rest, _) = read(b"PR", &ProxyProtocol::optional(), Address::InProcess).await.unwrap();
    assert_eq!(rest, b"PR");
}

#[tokio::test]
async fn only_trusted_sources_are_believed() {
    let header = v2_tcp4(&[]);
    let trusted = || ["10.0.0.0/8".parse().unwrap()];
    let peer = |text| ip(text).unwrap();
    let (rest, proxied) =
        read(&header, &ProxyProtocol::optional().trusted(trusted()), peer("192.0.2.7:1")).await.unwrap();
    assert_eq!((rest, proxied), (header.clone(), None));
    let error = read(&header, &ProxyProtocol::required().trusted(trusted()), peer("192.0.2.7:1")).await;
    assert!(matches!(error, Err(ProxyReadError::Untrusted { .. })));
    let (_, proxied) =
        read(&header, &ProxyProtocol::required().trusted(trusted()), peer("10.9.9.9:1")).await.unwrap();
    assert!(proxied.is_some());
}
