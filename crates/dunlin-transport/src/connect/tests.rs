use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::http_proxy::NoProxy;

async fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A loopback address on which nobody listens.
async fn refusing() -> SocketAddr {
    server().await.1
}

#[test]
fn families_alternate_beginning_with_the_one_that_comes_first() {
    let v4 = |n: u8| SocketAddr::from(([192, 0, 2, n], 1));
    let v6 = |n: u16| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 1));
    for (given, want) in [
        (vec![], vec![]),
        (vec![v4(1), v4(2)], vec![v4(1), v4(2)]),
        (vec![v6(1), v6(2), v4(1)], vec![v6(1), v4(1), v6(2)]),
        (vec![v4(1), v6(1), v6(2), v4(2), v4(3)], vec![v4(1), v6(1), v4(2), v6(2), v4(3)]),
    ] {
        assert_eq!(alternating(given), want);
    }
}

#[tokio::test]
async fn the_first_address_that_connects_is_used() {
    let (listener, address) = server().await;
    let endpoint = Endpoint::from(address);
    let (_, used) = Connector::new().race(&endpoint, vec![refusing().await, address]).await.unwrap();
    assert_eq!(used, address);
    drop(listener);
}

#[tokio::test]
async fn when_no_address_connects_the_error_names_each() {
    let (one, other) = (refusing().await, refusing().await);
    let endpoint = Endpoint::from(one);
    let error = Connector::new().race(&endpoint, vec![one, other]).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConnectError::AllRefused { .. }));
    assert!(text.contains(&one.to_string()) && text.contains(&other.to_string()), "{text}");
    let error = Connector::new().race(&endpoint, vec![]).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoAddress { .. }));
}

#[tokio::test]
async fn a_refused_connection_names_its_address() {
    let address = refusing().await;
    let error = Connector::new().connect(&address.into()).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(matches!(error, ConnectError::Refused { .. }));
}

#[tokio::test]
async fn the_timeout_covers_what_comes_behind_the_socket() {
    let (_listener, address) = server().await;
    let proxy = HttpProxy::new(address.into());
    let connector = Connector::new()
        .proxy(ProxySettings::new(proxy, NoProxy::default()))
        .timeout(Duration::from_millis(20));
    // The proxy takes the connection and never answers.
    let error = connector.connect(&"shop.test:443".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
}

/// A proxy on loopback that answers one CONNECT and echoes behind it; gives the request's first line.
async fn proxy_once(listener: TcpListener, answer: &'static str) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
    String::from_utf8(request).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_host_is_dialled_through_the_proxy_and_never_looked_up_here() {
    let (listener, address) = server().await;
    let settings = ProxySettings::from_values(Some(&format!("http://{address}")), None).unwrap();
    let proxy = tokio::spawn(proxy_once(listener, "HTTP/1.1 200 OK\r\n\r\nhello"));
    let connector = Connector::new().proxy(settings);
    // RFC 6761 §6.4: nothing under `invalid` has an address.
    let (mut io, info) = connector.connect(&"shop.invalid:443".parse().unwrap()).await.unwrap();
    assert_eq!(info.peer, address.into());
    io.write_all(b" echo").await.unwrap();
    let mut seen = [0; 10];
    io.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"hello echo");
    drop(io);
    assert_eq!(proxy.await.unwrap(), "CONNECT shop.invalid:443 HTTP/1.1");
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_away_is_told_from_a_host_that_does() {
    let (listener, address) = server().await;
    let settings = ProxySettings::new(HttpProxy::new(address.into()), NoProxy::default());
    let connector = Connector::new().proxy(settings);
    let proxy = tokio::spawn(proxy_once(listener, "HTTP/1.1 403 Forbidden\r\n\r\n"));
    let endpoint: Endpoint = "192.0.2.1:443".parse().unwrap();
    let error = connector.connect(&endpoint).await.unwrap_err();
    let ConnectError::Proxy { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("HTTP/1.1 403 Forbidden"), "{source}");
    proxy.await.unwrap();
    let error = connector.connect(&endpoint).await.unwrap_err();
    assert!(matches!(error, ConnectError::ProxyUnreachable { .. }), "{error}");
}

#[tokio::test]
async fn what_no_proxy_names_is_dialled_directly() {
    let (listener, address) = server().await;
    // Loopback is direct in any case, though this proxy would refuse.
    let settings = ProxySettings::new(HttpProxy::new(refusing().await.into()), NoProxy::default());
    let (_, info) = Connector::new().proxy(settings).connect(&address.into()).await.unwrap();
    assert_eq!(info.peer, address.into());
    drop(listener);
}
