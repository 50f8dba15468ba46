mod certificates;
mod clients;
mod reloading;
mod servers;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::io::Io;
use crate::pipe;
use certificates::{Authority, Pair};

/// What each side of a handshake came to.
struct Outcome {
    client: std::result::Result<(Io, TlsInfo), TlsHandshakeError>,
    server: std::result::Result<(Io, TlsInfo), TlsHandshakeError>,
}

/// One handshake over a pipe.
async fn handshake(client: &ClientTls, server: &ServerTls, host: &str) -> Outcome {
    let (near, far) = pipe::pair(64 * 1024);
    let (client, server) = tokio::join!(client.connect(Io::Pipe(near), host), server.accept(Io::Pipe(far)));
    Outcome { client, server }
}

impl Outcome {
    /// What the sides know of each other, after a byte has gone each way.
    async fn both(self) -> (TlsInfo, TlsInfo) {
        let (mut client, client_info) = self.client.unwrap();
        let (mut server, server_info) = self.server.unwrap();
        client.write_all(b"q").await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'q');
        server.write_all(b"a").await.unwrap();
        server.flush().await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'a');
        (client_info, server_info)
    }
}

fn server_for(pair: &Pair) -> ServerTlsBuilder {
    ServerTls::builder().identity(pair.identity())
}

fn client_of(authority: &Authority) -> ClientTlsBuilder {
    ClientTls::builder().roots(TrustRoots::from_pem(authority.pem()))
}

/// A server of these names and a client that trusts it.
pub(crate) fn sides_for(names: &[&str]) -> (ClientTlsBuilder, ServerTlsBuilder) {
    let authority = Authority::new();
    (client_of(&authority), server_for(&authority.server(names)))
}

fn shop() -> (ClientTlsBuilder, ServerTlsBuilder) {
    sides_for(&["shop.test"])
}

#[test]
fn the_cipher_suites_are_those_that_http_2_permits() {
    // RFC 9113 Appendix A prohibits by key exchange and by cipher; what is left has an ephemeral
    // exchange and authenticated encryption.
    for suite in &provider().cipher_suites {
        let name = suite.suite().as_str().unwrap();
        let ephemeral = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
        let authenticated = name.contains("_GCM_") || name.contains("_CHACHA20_POLY1305_");
        assert!(ephemeral && authenticated, "{name}");
    }
}

#[test]
fn configurations_and_streams_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<ServerTls>();
    check::<ClientTls>();
    check::<TlsIo>();
}

#[tokio::test]
async fn both_sides_learn_what_was_agreed_on() {
    let (client, server) = shop();
    let (client, server) = (client.build().unwrap(), server.build().unwrap());
    let (client, server) = handshake(&client, &server, "shop.test").await.both().await;
    for info in [&client, &server] {
        assert_eq!(info.alpn.as_deref(), Some(ALPN_H2));
        assert_eq!(info.version, TlsVersion::Tls13);
        assert!(info.cipher_suite.starts_with("TLS_"), "{}", info.cipher_suite);
        assert_eq!(info.server_name.as_deref(), Some("shop.test"));
        assert!(!info.resumed);
    }
    assert_eq!((client.peer_certificates.len(), client.peer_verified), (1, true));
    assert_eq!((server.peer_certificates.len(), server.peer_verified), (0, false));
}

#[tokio::test]
async fn a_peer_without_a_common_protocol_is_refused_by_name() {
    let (client, server) = shop();
    let client = client.alpn(["http/1.1"]).build().unwrap();
    let outcome = handshake(&client, &server.build().unwrap(), "shop.test").await;
    let server = outcome.server.unwrap_err();
    assert!(server.is_alpn() && server.to_string().contains("we offer h2"), "{server}");
    let client = outcome.client.unwrap_err();
    assert!(client.is_alpn() && client.to_string().contains("http/1.1"), "{client}");
}

#[tokio::test]
async fn a_peer_without_alpn_is_refused_unless_it_is_to_be_accepted() {
    let none: [&str; 0] = [];
    let (client, server) = shop();
    let silent = server.clone().alpn(none).build().unwrap();
    let error = handshake(&client.clone().build().unwrap(), &silent, "shop.test").await.client.unwrap_err();
    assert!(matches!(error, TlsHandshakeError::MissingAlpn { .. }), "{error}");
    let silent = client.clone().alpn(none).build().unwrap();
    let error = handshake(&silent, &server.clone().build().unwrap(), "shop.test").await.server.unwrap_err();
    assert!(matches!(error, TlsHandshakeError::MissingAlpn { .. }), "{error}");

    let client = client.missing_alpn(MissingAlpn::Accept).build().unwrap();
    let server = server.missing_alpn(MissingAlpn::Accept).alpn(none).build().unwrap();
    let (client, _) = handshake(&client, &server, "shop.test").await.both().await;
    assert_eq!(client.alpn, None);
}

#[tokio::test]
async fn a_client_of_tls_1_3_alone_is_served() {
    let (client, server) = shop();
    let strict = client.clone().min_version(TlsVersion::Tls13).build().unwrap();
    let (info, _) = handshake(&strict, &server.clone().build().unwrap(), "shop.test").await.both().await;
    assert_eq!(info.version, TlsVersion::Tls13);
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_called_that() {
    let (client, server) = shop();
    for (bytes, server_side) in
        [(&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], true), (b"HTTP/1.1 400 Bad Request\r\n\r\n", false)]
    {
        let (near, mut far) = pipe::pair(4096);
        far.write_all(bytes).await.unwrap();
        let error = if server_side {
            server.clone().build().unwrap().accept(Io::Pipe(near)).await.unwrap_err()
        } else {
            client.clone().build().unwrap().connect(Io::Pipe(near), "shop.test").await.unwrap_err()
        };
        assert!(matches!(error, TlsHandshakeError::NotTls { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_no_fault_of_the_peers_tls() {
    let (_, server) = shop();
    let (near, far) = pipe::pair(64);
    drop(far);
    let error = server.build().unwrap().accept(Io::Pipe(near)).await.unwrap_err();
    assert!(matches!(error, TlsHandshakeError::Io { .. }), "{error}");
}

#[tokio::test]
async fn sessions_are_continued_unless_either_side_declines() {
    let (client, server) = shop();
    for (client, server, want) in [
        (client.clone(), server.clone(), true),
        (client.clone().resumption(false), server.clone(), false),
        (client.clone(), server.clone().resumption(false), false),
    ] {
        let (client, server) = (client.build().unwrap(), server.build().unwrap());
        // Tickets travel behind the handshake, with the first byte from the server.
        let (first, _) = handshake(&client, &server, "shop.test").await.both().await;
        let (second, _) = handshake(&client, &server, "shop.test").await.both().await;
        assert_eq!((first.resumed, second.resumed), (false, want));
        assert_eq!(second.peer_certificates.len(), 1);
    }
}

#[tokio::test]
async fn vectored_writes_go_through_tls() {
    let (client, server) = shop();
    let outcome = handshake(&client.build().unwrap(), &server.build().unwrap(), "shop.test").await;
    let (mut client, mut server) = (outcome.client.unwrap().0, outcome.server.unwrap().0);
    assert!(client.is_write_vectored());
    let written = client.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut seen = String::new();
    server.read_to_string(&mut seen).await.unwrap();
    assert_eq!((written, seen.as_str()), (7, "one two"));
}
