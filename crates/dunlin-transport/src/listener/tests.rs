use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::connect::Connector;

async fn bind(endpoint: &str) -> Listener {
    Listener::bind(&endpoint.parse().unwrap(), &ListenerOptions::default()).await.unwrap()
}

/// Dials the listener, sends a byte through, and gives what each side knows.
async fn talk(listener: &mut Listener, endpoint: &Endpoint) -> (ConnectionInfo, ConnectionInfo) {
    let (mut client, seen_by_client) = Connector::default().connect(endpoint).await.unwrap();
    let (mut server, seen_by_server) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
    (seen_by_client, seen_by_server)
}

#[tokio::test]
async fn tcp_listens_on_a_free_port_and_both_sides_agree_on_the_addresses() {
    let mut listener = bind("127.0.0.1:0").await;
    let endpoint = Endpoint::from_address(listener.local_addr()).unwrap();
    assert_ne!(endpoint.port(), Some(0));
    let (client, server) = talk(&mut listener, &endpoint).await;
    assert_eq!((client.local, client.peer), (server.peer, server.local));
}

#[tokio::test]
async fn a_host_name_is_looked_up_to_listen() {
    let mut listener = bind("localhost:0").await;
    let port = listener.local_addr().ip().unwrap().port();
    talk(&mut listener, &format!("localhost:{port}").parse().unwrap()).await;
}

#[tokio::test]
async fn the_ipv6_wildcard_takes_ipv4_too_unless_told_otherwise() {
    let Ok(mut listener) = Listener::bind(&"[::]:0".parse().unwrap(), &ListenerOptions::default()).await
    else {
        return; // a machine without IPv6
    };
    let port = listener.local_addr().ip().unwrap().port();
    let v4 = Endpoint::Ip(SocketAddr::new([127, 0, 0, 1].into(), port));
    let (_, server) = talk(&mut listener, &v4).await;
    assert!(server.peer.ip().unwrap().is_ipv4());

    let options = ListenerOptions::default().only_v6(true);
    let only = Listener::bind(&"[::]:0".parse().unwrap(), &options).await.unwrap();
    let port = only.local_addr().ip().unwrap().port();
    let v4 = Endpoint::Ip(SocketAddr::new([127, 0, 0, 1].into(), port));
    Connector::default().connect(&v4).await.expect_err("IPv4 is refused");
}

#[tokio::test]
async fn a_port_is_taken_twice_only_with_reuse_port() {
    let options = ListenerOptions::default().reuse_port(true);
    let first = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &options).await.unwrap();
    let endpoint = Endpoint::from_address(first.local_addr()).unwrap();
    Listener::bind(&endpoint, &options).await.expect("both sockets asked for it");
    let error = Listener::bind(&endpoint, &ListenerOptions::default()).await.unwrap_err();
    assert!(matches!(error, BindError::Socket { step: "bind", .. }), "{error}");
    assert!(error.to_string().contains(&endpoint.to_string()), "{error}");
}

#[tokio::test]
async fn a_listener_bound_by_someone_else_is_taken_over() {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut listener = Listener::from_std_tcp(bound, SocketOptions::default()).unwrap();
    let endpoint = Endpoint::from_address(listener.local_addr()).unwrap();
    talk(&mut listener, &endpoint).await;
}

#[cfg(unix)]
mod unix_sockets {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn endpoint(path: &Path) -> Endpoint {
        Endpoint::UnixPath(path.to_owned())
    }

    #[tokio::test]
    async fn the_socket_file_has_the_mode_asked_for_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let options = ListenerOptions::default().unix_mode(0o600);
        let mut listener = Listener::bind(&endpoint(&path), &options).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (client, server) = talk(&mut listener, &endpoint(&path)).await;
        assert_eq!(client.peer, Address::UnixPath(path.clone()));
        assert_eq!(server.peer, Address::UnixUnnamed);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        // The standard library leaves the file behind, as a killed server does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let mut listener = Listener::bind(&endpoint(&path), &ListenerOptions::default()).await.unwrap();
        let error = Listener::bind(&endpoint(&path), &ListenerOptions::default()).await.unwrap_err();
        assert!(matches!(error, BindError::InUse { .. }), "{error}");
        // The probe of the second server waits in the backlog.
        listener.accept().await.unwrap();
        talk(&mut listener, &endpoint(&path)).await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        std::fs::write(&path, "data").unwrap();
        let error = Listener::bind(&endpoint(&path), &ListenerOptions::default()).await.unwrap_err();
        assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
    }

    #[tokio::test]
    async fn the_file_of_a_successor_stays_when_the_listener_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = Listener::bind(&endpoint(&path), &ListenerOptions::default()).await.unwrap();
        // Moved rather than removed, so that the successor cannot be given the same inode.
        std::fs::rename(&path, folder.path().join("moved.sock")).unwrap();
        let successor = Listener::bind(&endpoint(&path), &ListenerOptions::default()).await.unwrap();
        drop(listener);
        assert!(path.exists());
        drop(successor);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_unix_listener_bound_by_someone_else_keeps_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let bound = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut listener = Listener::from_std_unix(bound, SocketOptions::default()).unwrap();
        talk(&mut listener, &endpoint(&path)).await;
        drop(listener);
        assert!(path.exists());
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn abstract_names_need_no_file_and_are_taken_only_once() {
        let name = format!("dunlin-transport-{}", std::process::id());
        let endpoint: Endpoint = format!("unix-abstract:{name}").parse().unwrap();
        let mut listener = Listener::bind(&endpoint, &ListenerOptions::default()).await.unwrap();
        assert_eq!(listener.local_addr(), &Address::UnixAbstract(name.as_bytes().into()));
        let (client, _) = talk(&mut listener, &endpoint).await;
        assert_eq!(client.peer, Address::UnixAbstract(name.as_bytes().into()));
        Listener::bind(&endpoint, &ListenerOptions::default()).await.expect_err("the name is taken");
    }
}
