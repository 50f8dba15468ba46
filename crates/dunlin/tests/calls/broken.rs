//! Servers that break off: no stream ends in silence, and each way has its own status.

use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::{Channel, Code};
use dunlin_testkit::http2::{Block, Frame, bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{LIST, UNARY, code, soon, text};

const MESSAGE: [u8; 8] = [0, 0, 0, 0, 3, 0x0a, 1, b'x'];

fn head() -> Frame {
    Frame::headers(1, Block::of(&[(":status", "200"), ("content-type", "application/grpc")]).octets())
}

fn trailers(fields: &[(&str, &str)]) -> Frame {
    Frame::headers(1, Block::of(fields).octets()).end_stream()
}

/// A server that answers the first request with these frames, and closes the connection if told so.
async fn answering(frames: Vec<Frame>, closes: bool) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        io.write_all(&bytes([&Frame::settings(&[])])).await.unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        // The end of the request: DATA (0) of stream 1 with END_STREAM (1).
        while !seen.windows(6).any(|window| window == [0, 1, 0, 0, 0, 1]) {
            let read = io.read(&mut buffer).await.unwrap();
            assert!(read > 0, "the client has gone");
            seen.extend_from_slice(&buffer[..read]);
        }
        io.write_all(&bytes(&[Frame::settings_ack()])).await.unwrap();
        io.write_all(&bytes(&frames)).await.unwrap();
        if !closes {
            let _ = io.read_to_end(&mut Vec::new()).await;
        }
    });
    Client::new(Channel::builder(address.to_string()).connect_lazy().unwrap())
}

#[tokio::test]
async fn a_response_that_is_cut_off_is_no_response() {
    let ok = [("grpc-status", "0")];
    let half = Frame::data(1, &MESSAGE[..6]);
    let whole = Frame::data(1, MESSAGE);
    let rows: Vec<(&str, Vec<Frame>, bool, Code, &str)> = vec![
        (
            "within a message",
            vec![head(), half.clone(), trailers(&ok)],
            false,
            Code::Internal,
            "within a message",
        ),
        ("no trailers", vec![head(), whole.clone().end_stream()], false, Code::Internal, "without trailers"),
        (
            "no status",
            vec![head(), whole.clone(), trailers(&[("a", "b")])],
            false,
            Code::Unknown,
            "without `grpc-status`",
        ),
        ("connection", vec![head(), whole.clone()], true, Code::Unavailable, "lost"),
        ("reset", vec![head(), whole.clone(), Frame::rst_stream(1, 0)], false, Code::Internal, "NO_ERROR"),
        ("cancel", vec![head(), Frame::rst_stream(1, 8)], false, Code::Cancelled, "CANCEL"),
        ("calm", vec![head(), Frame::rst_stream(1, 11)], false, Code::ResourceExhausted, "ENHANCE_YOUR_CALM"),
        ("flag", vec![head(), Frame::data(1, [2, 0, 0, 0, 0])], false, Code::Internal, "flag 2"),
        (
            "coding",
            vec![head(), Frame::data(1, [1, 0, 0, 0, 1, 7]), trailers(&ok)],
            false,
            Code::Internal,
            "`grpc-encoding`",
        ),
        (
            "too large",
            vec![head(), Frame::data(1, [0, 0xff, 0, 0, 0])],
            false,
            Code::ResourceExhausted,
            "max_receive",
        ),
        (
            "not a message",
            vec![head(), Frame::data(1, [0, 0, 0, 0, 1, 7]), trailers(&ok)],
            false,
            Code::Internal,
            "StringValue",
        ),
        (
            "HTTP",
            vec![Frame::headers(1, Block::of(&[(":status", "503")]).octets()).end_stream()],
            false,
            Code::Unavailable,
            "HTTP status 503",
        ),
        (
            "a page",
            vec![Frame::headers(1, Block::of(&[(":status", "200"), ("content-type", "text/html")]).octets())],
            false,
            Code::Unknown,
            "text/html",
        ),
    ];
    for (why, frames, closes, wanted, part) in rows {
        let client = answering(frames.clone(), closes).await;
        let call = client.unary::<_, StringValue>(UNARY, text("x")).timeout(Duration::from_secs(10));
        let (found, message) = code(soon(call).await);
        assert!(found == wanted && message.contains(part), "unary, {why}: {found}: {message}");
        let client = answering(frames, closes).await;
        let call =
            client.server_streaming::<_, StringValue>(LIST, text("x")).timeout(Duration::from_secs(10));
        let mut list = soon(call).await.unwrap();
        let status = loop {
            match soon(list.next()).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("stream, {why}: it looks complete"),
                Err(status) => break status,
            }
        };
        assert!(status.code() == wanted && status.message().contains(part), "stream, {why}: {status}");
    }
}

#[tokio::test]
async fn one_response_is_neither_none_nor_two() {
    let ok = trailers(&[("grpc-status", "0")]);
    let two = Frame::data(1, [MESSAGE, MESSAGE].concat());
    for (frames, part) in
        [(vec![head(), ok.clone()], "no response"), (vec![head(), two, ok], "more than one response")]
    {
        let client = answering(frames, false).await;
        let (found, message) = code(soon(client.unary::<_, StringValue>(UNARY, text("x"))).await);
        assert!(found == Code::Unimplemented && message.contains(part), "{found}: {message}");
    }
}
