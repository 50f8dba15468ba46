//! Connections, as metrics show them.

use std::sync::Arc;

use dunlin_server::Server;
use dunlin_telemetry::{Metrics, Naming};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{World, add, ask, map, pair, series, series_until};

#[tokio::test]
async fn connections_are_counted_from_their_begin_to_their_end() {
    let metrics = Metrics::new(Naming::Prometheus);
    let client = pair(
        &Arc::new(World::default()),
        |server| server.connection_observer(metrics.clone()),
        |client| client,
    );
    assert_eq!(series(&metrics), map(&[]));
    ask(&client, "hi").await.unwrap();
    let (open, opened) = ("dunlin.server.connection.open{}", "dunlin.server.connection.opened{}");
    assert_eq!(series(&metrics), map(&[(open, "1"), (opened, "1")]));
    client.channel().shut_down();
    // The client says goodbye and closes: which of them the server sees first is a race.
    let closed = ["shutdown", "by_peer"]
        .map(|reason| format!("dunlin.server.connection.closed{{dunlin.reason={reason}}}"));
    let all = loop {
        let all = series(&metrics);
        if closed.iter().any(|closed| all.contains_key(closed)) {
            break all;
        }
        tokio::task::yield_now().await;
    };
    let found = closed.iter().filter(|closed| all.contains_key(*closed)).collect::<Vec<_>>();
    assert_eq!(all, map(&[(opened, "1"), (found[0], "1")]));
}

#[tokio::test]
async fn a_limit_that_a_peer_breaks_is_named() {
    let metrics = Metrics::new(Naming::Prometheus);
    let server = Server::builder()
        .methods(|methods| add(methods, &Arc::new(World::default())))
        .connection_observer(metrics.clone());
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    let serving = tokio::spawn(bound.serve());
    let mut peer = TcpStream::connect(&address).await.unwrap();
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS without settings, more often than anybody needs.
    octets.extend([0, 0, 0, 4, 0, 0, 0, 0, 0].repeat(300));
    peer.write_all(&octets).await.unwrap();
    // Until the server closes; a reset is an end too.
    let _ = peer.read_to_end(&mut Vec::new()).await;
    drop(peer);
    let limit = "dunlin.server.connection.limits_exceeded{dunlin.limit=settings_frames}";
    let all = series_until(&metrics, limit, "1").await;
    assert_eq!(all["dunlin.server.connection.closed{dunlin.reason=limit}"], "1");
    serving.abort();
}
