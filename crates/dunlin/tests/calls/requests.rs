//! What a server answers to requests that are not as they should be, seen by a client that sends anything.

use std::time::Instant;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::{Channel, Code, Server};
use dunlin_http2::{Config, Connection, Event, Field, HeaderList, HeadersKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{self, UNARY, code, soon, text};

/// All headers and trailers that come back for one request.
async fn ask(fields: &[(&str, &str)], content: &[&[u8]], has_trailing_end: bool) -> Vec<(String, String)> {
    let server = Server::builder().max_receive_message_size(1000).methods(|methods| {
        harness::add(methods, std::sync::Arc::default());
    });
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().ip().unwrap();
    tokio::spawn(bound.serve());
    let mut io = TcpStream::connect(address).await.unwrap();
    let now = Instant::now();
    let mut engine = Connection::client(Config::default(), now);
    let fields: Vec<Field<'_>> = fields.iter().map(|(name, value)| Field::new(name, *value)).collect();
    let stream = engine.open(&fields[..], false).unwrap();
    for (place, part) in content.iter().enumerate() {
        let is_last = place + 1 == content.len() && !has_trailing_end;
        engine.send_data(stream, part.to_vec().into(), is_last).unwrap();
    }
    if has_trailing_end {
        engine.send_data(stream, Vec::new().into(), true).unwrap();
    }
    let (mut seen, mut held, mut buffer) = (Vec::new(), Vec::new(), [0; 4096]);
    let mut note = |headers: &HeaderList| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        seen.extend(headers.iter().map(|field| (field.name.to_owned(), text(field.value))));
    };
    loop {
        engine.transmit(now).unwrap();
        let mut out = Vec::new();
        engine.output_mut().take_into(&mut out);
        io.write_all(&out).await.unwrap();
        let read = soon(io.read(&mut buffer)).await.unwrap();
        assert!(read > 0, "the server has closed the connection: {seen:?}");
        held.extend_from_slice(&buffer[..read]);
        let mut input = &held[..];
        while let Some(event) = engine.poll_event(now, &mut input).unwrap() {
            match event {
                Event::Headers { headers, end_stream, kind, .. } => {
                    note(&headers);
                    if end_stream {
                        assert!(matches!(kind, HeadersKind::Response | HeadersKind::Trailers));
                        return seen;
                    }
                }
                Event::Reset { reason, .. } => panic!("reset: {reason:?}"),
                _ => {}
            }
        }
        held = input.to_vec();
    }
}

const HEAD: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.Echo/Unary"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
];

/// The usual headers, but for one.
fn with<'f>(name: &'f str, value: &'f str) -> Vec<(&'f str, &'f str)> {
    let mut fields = HEAD.to_vec();
    match fields.iter_mut().find(|(other, _)| *other == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

const MESSAGE: &[u8] = &[0, 0, 0, 0, 3, 0x0a, 1, b'x'];

fn value<'s>(seen: &'s [(String, String)], name: &str) -> &'s str {
    seen.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

#[tokio::test]
async fn the_headers_of_a_request_are_checked() {
    /// Headers; the HTTP status, the status and a part of the message that come back.
    type Row = (Vec<(&'static str, &'static str)>, &'static str, &'static str, &'static str);
    let rows: Vec<Row> = vec![
        (HEAD.to_vec(), "200", "0", ""),
        (with("content-type", "application/grpc+proto"), "200", "0", ""),
        (with("content-type", "application/grpc;charset=utf-8"), "200", "0", ""),
        (with("content-type", "application/grpc+json"), "200", "12", "+json"),
        (with("content-type", "application/grpc-web"), "415", "13", "application/grpc-web"),
        (with("content-type", "text/plain"), "415", "13", "text/plain"),
        (with(":method", "GET"), "405", "13", "POST"),
        (with("grpc-timeout", "1"), "400", "13", "grpc-timeout"),
        (with("grpc-timeout", "10S"), "200", "0", ""),
        (with("grpc-encoding", "identity"), "200", "0", ""),
        (with("grpc-encoding", "snappy"), "200", "12", "snappy"),
        (with("x-bytes-bin", "!!"), "400", "13", "x-bytes-bin"),
        (with("x-bytes-bin", "q80="), "200", "0", ""),
        (with(":path", "/test.Echo/Nothing"), "200", "12", "no method Nothing"),
        (with(":path", "/nothing"), "200", "12", "/SERVICE/METHOD"),
        (with(":path", "/a.B/C"), "200", "12", "a.B is not served"),
    ];
    for (fields, http_status, status, part) in rows {
        let seen = ask(&fields, &[MESSAGE], false).await;
        let found = (value(&seen, ":status"), value(&seen, "grpc-status"));
        assert_eq!(found, (http_status, status), "{fields:?}: {seen:?}");
        assert!(value(&seen, "grpc-message").contains(part), "{fields:?}: {seen:?}");
        if part == "snappy" {
            assert!(value(&seen, "grpc-accept-encoding").starts_with("identity,gzip,deflate"), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn the_messages_of_a_request_are_checked() {
    let two = [MESSAGE, MESSAGE].concat();
    /// Why, the content, whether its end comes apart; the status and a part of the message.
    type Row<'r> = (&'r str, Vec<&'r [u8]>, bool, &'r str, &'r str);
    let rows: Vec<Row<'_>> = vec![
        ("whole", vec![MESSAGE], false, "0", ""),
        ("in pieces", vec![&MESSAGE[..2], &MESSAGE[2..7], &MESSAGE[7..]], false, "0", ""),
        ("ended apart", vec![MESSAGE], true, "0", ""),
        ("empty", vec![&[0, 0, 0, 0, 0]], false, "0", ""),
        ("none", vec![], true, "12", "no request message"),
        ("two at once", vec![&two], false, "12", "more than one request message"),
        ("two", vec![MESSAGE, MESSAGE], false, "12", "more than one request message"),
        ("cut off", vec![&MESSAGE[..6]], false, "13", "within a message"),
        ("cut off in the prefix", vec![&MESSAGE[..3]], true, "13", "within a message"),
        ("no flag", vec![&[7, 0, 0, 0, 0]], false, "13", "flag 7"),
        ("compressed", vec![&[1, 0, 0, 0, 1, 0]], false, "13", "`grpc-encoding`"),
        ("too large", vec![&[0, 0, 0, 4, 0]], true, "8", "max_receive_message_size"),
        ("no message", vec![&[0, 0, 0, 0, 1, 7]], false, "13", "StringValue"),
    ];
    for (why, content, has_trailing_end, status, part) in rows {
        let seen = ask(&HEAD, &content, has_trailing_end).await;
        assert_eq!(value(&seen, "grpc-status"), status, "{why}: {seen:?}");
        assert!(value(&seen, "grpc-message").contains(part), "{why}: {seen:?}");
    }
}

#[tokio::test]
async fn a_small_message_that_becomes_large_is_refused() {
    let server = Server::builder().max_receive_message_size(1000).methods(|methods| {
        harness::add(methods, std::sync::Arc::default());
    });
    let server = server.build().unwrap().in_process();
    let client = Client::new(Channel::in_process(server.connector()));
    let call =
        |size| client.unary::<_, StringValue>(UNARY, text(" ".repeat(size))).encoding(dunlin::Encoding::Gzip);
    assert_eq!(soon(call(900)).await.unwrap().value.len(), 905);
    let (found, message) = code(soon(call(1 << 16)).await);
    assert!(found == Code::ResourceExhausted && message.contains("when decompressed"), "{found}: {message}");
}
