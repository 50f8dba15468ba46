//! TCP sockets.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::listener::BindError;
use crate::options::{ListenerOptions, SocketOptions};
use crate::platform;

pub(crate) fn bind(address: SocketAddr, options: &ListenerOptions) -> Result<TcpListener, BindError> {
    let step = |step| move |source| BindError::Socket { address: address.into(), step, source };
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).map_err(step("socket"))?;
    if options.reuse_address {
        socket.set_reuse_address(true).map_err(step("SO_REUSEADDR"))?;
    }
    if options.reuse_port {
        platform::set_reuse_port(&socket).map_err(step("SO_REUSEPORT"))?;
    }
    if domain == Domain::IPV6 {
        socket.set_only_v6(options.only_v6).map_err(step("IPV6_V6ONLY"))?;
    }
    // The window scale is agreed on in the SYN, so buffers are sized before listening and inherited.
    set_buffer_sizes(&socket, &options.socket).map_err(step("SO_SNDBUF or SO_RCVBUF"))?;
    socket.bind(&address.into()).map_err(step("bind"))?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX)).map_err(step("listen"))?;
    from_std(socket.into()).map_err(step("registration with the runtime"))
}

pub(crate) fn from_std(listener: StdTcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Cancel safe: dropping the future closes the socket.
pub(crate) async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set_buffer_sizes(&SockRef::from(&socket), options)?;
    let stream = socket.connect(address).await?;
    configure(&stream, options)?;
    Ok(stream)
}

/// Sets everything but the buffer sizes.
pub(crate) fn configure(stream: &TcpStream, options: &SocketOptions) -> io::Result<()> {
    let socket = SockRef::from(stream);
    if options.nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(keepalive) = options.keepalive {
        let mut params = TcpKeepalive::new().with_time(keepalive.time.max(Duration::from_secs(1)));
        if let Some(interval) = keepalive.interval {
            params = params.with_interval(interval.max(Duration::from_secs(1)));
        }
        if let Some(count) = keepalive.count {
            params = params.with_retries(count);
        }
        socket.set_tcp_keepalive(&params)?;
    }
    if let Some(timeout) = options.user_timeout {
        platform::set_user_timeout(&socket, timeout)?;
    }
    Ok(())
}

pub(crate) fn set_buffer_sizes(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    if let Some(bytes) = options.send_buffer_size {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer_size {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Keepalive;

    #[tokio::test]
    async fn every_option_reaches_the_sockets_of_both_sides() {
        let options = SocketOptions::default()
            .keepalive(Keepalive::after(Duration::from_secs(30)).interval(Duration::from_secs(5)).count(3))
            .user_timeout(Duration::from_secs(20))
            // Set already.
            .or_user_timeout(Duration::from_secs(7))
            .send_buffer_size(32 * 1024)
            .receive_buffer_size(48 * 1024);
        let listener =
            bind("127.0.0.1:0".parse().unwrap(), &ListenerOptions::default().socket(options.clone()))
                .unwrap();
        let client = connect(listener.local_addr().unwrap(), &options).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        configure(&server, &options).unwrap();
        for socket in [SockRef::from(&client), SockRef::from(&server)] {
            assert!(socket.tcp_nodelay().unwrap());
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(5));
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
            assert!(socket.send_buffer_size().unwrap() >= 32 * 1024);
            assert!(socket.recv_buffer_size().unwrap() >= 48 * 1024);
            #[cfg(target_os = "linux")]
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(20)));
        }
    }

    #[tokio::test]
    async fn nodelay_can_be_left_off() {
        let listener = bind("127.0.0.1:0".parse().unwrap(), &ListenerOptions::default()).unwrap();
        let options = SocketOptions::default().nodelay(false);
        let client = connect(listener.local_addr().unwrap(), &options).await.unwrap();
        assert!(!client.nodelay().unwrap());
    }
}
