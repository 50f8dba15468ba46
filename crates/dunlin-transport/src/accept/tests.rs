use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::options::ListenerOptions;

async fn listener() -> Listener {
    Listener::bind(&"127.0.0.1:0".parse().unwrap(), &ListenerOptions::default()).await.unwrap()
}

async fn acceptor(builder: AcceptorBuilder) -> (Acceptor, SocketAddr) {
    let acceptor = builder.build(listener().await);
    let address = acceptor.local_addr().ip().unwrap();
    (acceptor, address)
}

async fn dial(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn next(acceptor: &mut Acceptor) -> Accepted {
    acceptor.next().await.unwrap().expect("nobody has stopped it")
}

/// Polls the acceptor until `event` has happened; it is expected to hand over nothing meanwhile.
async fn idle_until(acceptor: &mut Acceptor, event: impl Future<Output = ()>) {
    tokio::select! {
        accepted = acceptor.next() => panic!("handed over {accepted:?}"),
        () = event => {}
    }
}

/// Gives the acceptor enough turns to hand something over, and drops its future then.
async fn hands_over_nothing(acceptor: &mut Acceptor) {
    idle_until(acceptor, async {
        // The runtime looks for what the system has to tell each time that nothing else is to do.
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until the acceptor has counted what a test waits for.
async fn counted(handle: AcceptHandle, value: fn(&AcceptCounts) -> u64) {
    while value(&handle.counts()) == 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits until the other side has closed the connection.
async fn ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // Unread bytes turn the end into a reset.
    let _ = stream.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_connection_is_handed_over_with_who_is_there() {
    let (mut acceptor, address) = acceptor(Acceptor::builder()).await;
    let mut client = dial(address).await;
    let mut accepted = next(&mut acceptor).await;
    assert_eq!(accepted.info.peer, client.local_addr().unwrap().into());
    assert_eq!(accepted.info.local, address.into());
    client.write_all(b"x").await.unwrap();
    assert_eq!(accepted.io.read_u8().await.unwrap(), b'x');
    assert_eq!(acceptor.handle().counts().accepted, 1);
}

#[tokio::test]
async fn the_connections_of_acceptors_share_their_memory() {
    let (mut one, one_address) = acceptor(Acceptor::builder().max_memory(1 << 20)).await;
    let _client = dial(one_address).await;
    let ledger = next(&mut one).await.ledger;
    assert_eq!(ledger.max_memory(), 1 << 20);
    let (mut other, other_address) = acceptor(Acceptor::builder().ledger(ledger.clone())).await;
    let _client = dial(other_address).await;
    let _account = next(&mut other).await.ledger.open();
    assert_eq!(ledger.counts().connections, 1);
}

#[tokio::test]
async fn over_the_limit_a_connection_waits_for_the_end_of_another() {
    let limit = ConnectionLimit::new(2);
    let (mut acceptor, address) = acceptor(Acceptor::builder().connection_limit(limit.clone())).await;
    let _clients = [dial(address).await, dial(address).await, dial(address).await];
    let (first, _second) = (next(&mut acceptor).await, next(&mut acceptor).await);
    assert_eq!(limit.open(), 2);
    // The third is accepted and stays without a place, also when the future is dropped meanwhile.
    hands_over_nothing(&mut acceptor).await;
    drop(first);
    let third = next(&mut acceptor).await;
    assert_eq!(third.info.peer, _clients[2].local_addr().unwrap().into());
    assert_eq!((limit.open(), acceptor.handle().counts().refused), (2, 0));
}

#[tokio::test]
async fn over_the_limit_a_connection_can_be_closed_at_once() {
    let builder = Acceptor::builder().max_connections(1).at_limit(AtLimit::AcceptAndClose);
    let (mut acceptor, address) = acceptor(builder).await;
    let _client = dial(address).await;
    let first = next(&mut acceptor).await;
    let refused = dial(address).await;
    idle_until(&mut acceptor, ends(refused)).await;
    assert_eq!(acceptor.handle().counts().refused, 1);
    drop(first);
    let _client = dial(address).await;
    next(&mut acceptor).await;
}

#[tokio::test]
async fn two_acceptors_can_share_a_limit_of_one() {
    let limit = ConnectionLimit::new(1);
    let (mut one, one_address) = acceptor(Acceptor::builder().connection_limit(limit.clone())).await;
    let (mut other, other_address) = acceptor(Acceptor::builder().connection_limit(limit)).await;
    // Neither takes the place before somebody dials.
    hands_over_nothing(&mut one).await;
    let _client = dial(other_address).await;
    drop(next(&mut other).await);
    let _client = dial(one_address).await;
    next(&mut one).await;
}

#[tokio::test]
async fn once_stopped_there_is_no_next_connection() {
    let (mut acceptor, address) = acceptor(Acceptor::builder()).await;
    let handle = acceptor.handle();
    let waiting = tokio::spawn(async move { (acceptor.next().await.unwrap().is_none(), acceptor) });
    handle.stop();
    let (ended, mut acceptor) = waiting.await.unwrap();
    assert!(ended);
    let _client = dial(address).await; // still in the backlog
    assert!(acceptor.next().await.unwrap().is_none());
    drop(acceptor);
    TcpStream::connect(address).await.expect_err("the socket is closed");
}

mod proxy_protocol {
    use super::*;
    use crate::proxy_protocol::ProxyProtocol;

    const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n";

    #[tokio::test]
    async fn the_proxied_source_stands_for_the_client() {
        let builder = Acceptor::builder().proxy_protocol(ProxyProtocol::required());
        let (mut acceptor, address) = acceptor(builder).await;
        let mut client = dial(address).await;
        client.write_all(&[HEADER, b"PRI"].concat()).await.unwrap();
        let mut accepted = next(&mut acceptor).await;
        assert_eq!(accepted.info.client_address().to_string(), "192.0.2.1:8080");
        assert_eq!(accepted.info.peer, client.local_addr().unwrap().into());
        let mut seen = [0; 3];
        accepted.io.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"PRI");
    }

    #[tokio::test]
    async fn a_silent_connection_holds_up_nobody_and_ends_at_its_timeout() {
        let builder = Acceptor::builder()
            .proxy_protocol(ProxyProtocol::required())
            .handshake_timeout(Duration::from_millis(50));
        let (mut acceptor, address) = acceptor(builder).await;
        let silent = dial(address).await;
        let mut client = dial(address).await;
        client.write_all(HEADER).await.unwrap();
        let accepted = next(&mut acceptor).await;
        assert_eq!(accepted.info.peer, client.local_addr().unwrap().into());
        let handle = acceptor.handle();
        idle_until(&mut acceptor, counted(handle.clone(), |counts| counts.handshake_timeouts)).await;
        ends(silent).await;
        let counts = handle.counts();
        assert_eq!((counts.accepted, counts.handshake_timeouts), (1, 1));
    }

    /// Keeps the kinds of what went wrong.
    #[derive(Default)]
    struct Kinds(std::sync::Mutex<Vec<&'static str>>);

    impl ConnectionObserver for Arc<Kinds> {
        fn handshake_failed(&self, _: &Address, error: &HandshakeError) {
            self.0.lock().unwrap().push(error.kind());
        }

        fn refused(&self) {
            self.0.lock().unwrap().push("refused");
        }
    }

    #[tokio::test]
    async fn an_observer_hears_of_connections_that_never_got_to_http_2() {
        let kinds = Arc::new(Kinds::default());
        let builder = Acceptor::builder()
            .observer(Some(Arc::new(Arc::clone(&kinds))))
            .proxy_protocol(ProxyProtocol::required())
            .max_connections(1)
            .at_limit(AtLimit::AcceptAndClose);
        let (mut acceptor, address) = acceptor(builder).await;
        let mut wrong = dial(address).await;
        wrong.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        idle_until(&mut acceptor, ends(wrong)).await;
        let mut client = dial(address).await;
        client.write_all(HEADER).await.unwrap();
        let _accepted = next(&mut acceptor).await;
        let refused = dial(address).await;
        idle_until(&mut acceptor, ends(refused)).await;
        assert_eq!(*kinds.0.lock().unwrap(), ["proxy_protocol", "refused"]);
        assert!(HandshakeError::KINDS.contains(&"proxy_protocol"));
    }

    #[tokio::test]
    async fn a_wrong_header_is_counted_and_its_place_given_back() {
        let builder = Acceptor::builder().proxy_protocol(ProxyProtocol::required()).max_connections(1);
        let (mut acceptor, address) = acceptor(builder).await;
        let mut wrong = dial(address).await;
        wrong.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        let handle = acceptor.handle();
        idle_until(&mut acceptor, counted(handle.clone(), |counts| counts.proxy_protocol_failures)).await;
        ends(wrong).await;
        let mut client = dial(address).await;
        client.write_all(HEADER).await.unwrap();
        next(&mut acceptor).await;
        assert_eq!(handle.counts().proxy_protocol_failures, 1);
    }

    #[tokio::test]
    async fn no_more_handshakes_run_at_a_time_than_allowed() {
        let builder = Acceptor::builder().proxy_protocol(ProxyProtocol::required()).max_handshakes(1);
        let (mut acceptor, address) = acceptor(builder).await;
        let mut slow = dial(address).await;
        let mut ready = dial(address).await;
        ready.write_all(HEADER).await.unwrap();
        // The second waits in the backlog, although its header is there.
        hands_over_nothing(&mut acceptor).await;
        slow.write_all(HEADER).await.unwrap();
        assert_eq!(next(&mut acceptor).await.info.peer, slow.local_addr().unwrap().into());
        assert_eq!(next(&mut acceptor).await.info.peer, ready.local_addr().unwrap().into());
    }
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;
    use crate::connect::{ConnectError, Connector};
    use crate::endpoint::Endpoint;
    use crate::proxy_protocol::ProxyProtocol;
    use crate::tls::ClientTls;
    use crate::tls::tests::sides_for;

    fn both_sides() -> (ClientTls, ServerTls) {
        let (client, server) = sides_for(&["localhost", "127.0.0.1"]);
        (client.build().unwrap(), server.build().unwrap())
    }

    #[tokio::test]
    async fn a_connector_and_an_acceptor_meet_over_tls() {
        let (client, server) = both_sides();
        let (mut acceptor, address) = acceptor(Acceptor::builder().tls(server)).await;
        let connector = Connector::new().tls(client);
        let endpoint = Endpoint::from(address);
        let (connected, accepted) = tokio::join!(connector.connect(&endpoint), next(&mut acceptor));
        let (mut io, info) = connected.unwrap();
        let mut accepted = accepted;
        assert_eq!(info.tls.unwrap().alpn.as_deref(), Some(&b"h2"[..]));
        assert_eq!(accepted.info.tls.unwrap().alpn.as_deref(), Some(&b"h2"[..]));
        io.write_all(b"x").await.unwrap();
        io.flush().await.unwrap();
        assert_eq!(accepted.io.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn tls_begins_behind_the_proxy_header() {
        let (client, server) = both_sides();
        let builder = Acceptor::builder().tls(server).proxy_protocol(ProxyProtocol::required());
        let (mut acceptor, address) = acceptor(builder).await;
        let mut socket = dial(address).await;
        socket.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.2 8080 443\r\n").await.unwrap();
        let (connected, accepted) =
            tokio::join!(client.connect(Io::Tcp(socket), "localhost"), next(&mut acceptor));
        connected.unwrap();
        assert_eq!(accepted.info.client_address().to_string(), "192.0.2.1:8080");
        assert!(accepted.info.tls.is_some());
    }

    #[tokio::test]
    async fn failures_are_counted_by_their_cause() {
        let (client, server) = both_sides();
        let builder = Acceptor::builder().tls(server).handshake_timeout(Duration::from_secs(60));
        let (mut acceptor, address) = acceptor(builder).await;
        let mut clear = dial(address).await;
        clear.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let handle = acceptor.handle();
        idle_until(&mut acceptor, counted(handle.clone(), |counts| counts.tls_failures)).await;
        let no_h2 = ClientTls::builder().danger_accept_any_certificate(true).alpn(["http/1.1"]);
        let connector = Connector::new().tls(no_h2.build().unwrap());
        idle_until(&mut acceptor, async {
            let error = connector.connect(&address.into()).await.unwrap_err();
            assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
            counted(handle.clone(), |counts| counts.alpn_failures).await;
        })
        .await;
        let connector = Connector::new().tls(client);
        let endpoint = Endpoint::from(address);
        let (connected, _accepted) = tokio::join!(connector.connect(&endpoint), next(&mut acceptor));
        connected.unwrap();
        let counts = handle.counts();
        assert_eq!((counts.accepted, counts.tls_failures, counts.alpn_failures), (1, 1, 1));
    }
}
