//! What stands before HTTP/2 on a connection, and texts that say where it goes.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dunlin_transport::Io;
use dunlin_transport::endpoint::{Endpoint, EndpointError};
use dunlin_transport::http_proxy::{HttpProxy, MAX_RESPONSE_HEAD, NoProxy, ProxySettings, TunnelError};
use dunlin_transport::network::IpNetwork;
use dunlin_transport::pipe;
use dunlin_transport::proxy_protocol::{MAX_V1_LEN, Parsed, ProxyProtocol, parse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Reads the head of a connection behind a balancer, as it comes in octet by octet.
pub fn proxy_protocol(data: &[u8]) {
    const MAX_V2_PAYLOAD: u16 = 512;
    let settings = ProxyProtocol::required().max_v2_payload(MAX_V2_PAYLOAD);
    let most = MAX_V1_LEN.max(16 + usize::from(MAX_V2_PAYLOAD));
    let whole = parse(data, &settings);
    for len in 0..data.len() {
        match parse(&data[..len], &settings) {
            Ok(Parsed::Incomplete { read_up_to }) => {
                assert!(len < read_up_to && read_up_to <= most, "{len} octets: up to {read_up_to}");
            }
            // What is decided is not decided otherwise later.
            decided => {
                assert_eq!(decided.is_err(), whole.is_err(), "{len} octets: {decided:?}, all: {whole:?}");
                if let Ok(decided) = decided {
                    assert_eq!(Ok(decided), whole);
                }
                break;
            }
        }
    }
    match whole {
        Ok(Parsed::Header { proxied, len }) => {
            assert!(len <= data.len().min(most));
            let values: usize = proxied.tlvs().map(|(_, value)| 3 + value.len()).sum();
            assert!(values < len);
            assert!(!(proxied.local && (proxied.source.is_some() || proxied.destination.is_some())));
        }
        Ok(Parsed::Incomplete { .. }) => assert!(data.len() < most),
        Ok(Parsed::Absent) => {}
        Err(error) => check_printable(&error.to_string()),
    }
}

/// Asks for a tunnel, with the answer in pieces of so many octets: what is left behind the head, or
/// why there is none.
fn tunnel(answer: &[u8], step: usize) -> Result<Vec<u8>, TunnelError> {
    let proxy = HttpProxy::new(Endpoint::Host { host: "proxy".into(), port: 1 });
    let (near, mut far) = pipe::pair(answer.len() + 1024);
    let mut cx = Context::from_waker(Waker::noop());
    let mut result = pin!(async move {
        let mut io: Io = proxy.tunnel(Io::Pipe(near), "shop.test:443").await?;
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.expect("a pipe that is closed");
        Ok(rest)
    });
    let mut poll = || result.as_mut().poll(&mut cx);
    for piece in answer.chunks(step) {
        if let Poll::Ready(done) = poll() {
            return done;
        }
        now(far.write_all(piece));
    }
    drop(far);
    match poll() {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("the answer has ended, and more is waited for"),
    }
}

/// Runs what does not have to wait.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => panic!("the pipe is large enough"),
    }
}

/// Reads a proxy's answer to CONNECT, in one piece and in several.
pub fn http_proxy(data: &[u8]) {
    let Some((&step, answer)) = data.split_first() else { return };
    let (whole, pieces) = (tunnel(answer, usize::MAX), tunnel(answer, usize::from(step) + 1));
    match (whole, pieces) {
        (Ok(rest), Ok(other)) => {
            assert_eq!(rest, other);
            let head = answer.strip_suffix(&rest[..]).expect("the rest of the answer");
            assert!(head.starts_with(b"HTTP/1.") && head.len() <= MAX_RESPONSE_HEAD);
            assert!(head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n"));
        }
        (Err(one), Err(other)) => {
            assert_eq!(std::mem::discriminant(&one), std::mem::discriminant(&other), "{one}; {other}");
            check_printable(&one.to_string());
            check_printable(&other.to_string());
        }
        (one, other) => panic!("{one:?} in one piece, {other:?} in several"),
    }
}

/// What comes from outside cannot paint a terminal.
fn check_printable(message: &str) {
    assert!(!message.contains(|char: char| char.is_ascii_control()), "{message:?}");
}

/// Reads a text as everything that says where connections go.
pub fn endpoint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Endpoint>() {
        Ok(Endpoint::UnixAbstract(name)) => assert_eq!(Some(&*name), text.get(14..).map(str::as_bytes)),
        Ok(endpoint) => {
            let written = endpoint.to_string();
            assert_eq!(written.parse(), Ok(endpoint), "{written:?}");
        }
        Err(error) => {
            assert_eq!(error == EndpointError::Empty, text.is_empty());
            assert!(!error.to_string().is_empty());
        }
    }
    if let Ok(proxy) = text.parse::<HttpProxy>() {
        let shown = format!("{:?}", proxy.basic_auth("bob", "s3cret"));
        assert!(!shown.contains("Ym9iOnMzY3JldA"), "{shown}");
    }
    let _ = ProxySettings::from_values(Some(text), Some(text));
    let list = NoProxy::parse(text);
    for host in ["example.com", "192.0.2.1", "2001:db8::1", text] {
        assert!(list.matches(host, 443) || !text.split([',', ' ', '\t', '\n']).any(|entry| entry == "*"));
    }
    if let Ok(network) = text.parse::<IpNetwork>() {
        let written = network.to_string();
        assert_eq!(written.parse(), Ok(network), "{written:?}");
    }
}
