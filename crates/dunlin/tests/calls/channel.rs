//! Channels: states, several connections, calls that are begun again, credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dunlin::client::{Backoff, BoxFuture, CallCredentials, Client, ConnectError, Credentials, State, Token};
use dunlin::protobuf::wkt::StringValue;
use dunlin::{CallOptions, Channel, Code, Metadata, Method, Server, Status};
use dunlin_testkit::http2::{Block, Frame, bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{self, CHAT, UNARY, ask, code, soon, text};

async fn serve(builder: dunlin::server::Builder) -> (String, dunlin::server::ShutdownHandle) {
    let builder = builder.methods(|methods| harness::add(methods, Arc::default()));
    let bound = builder.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    tokio::spawn(bound.serve());
    (address, handle)
}

#[tokio::test]
async fn a_channel_says_how_it_is_connected() {
    let (address, handle) = serve(Server::builder()).await;
    let channel = Channel::builder(&address).connect_lazy().unwrap();
    assert_eq!(channel.state(), State::Idle);
    soon(channel.connect()).await.unwrap();
    assert_eq!(channel.state(), State::Ready);
    // The server goes away: nobody calls, so nothing is connected.
    handle.shut_down(Duration::from_secs(5));
    assert_eq!(soon(channel.state_change(State::Ready)).await, State::Idle);
    assert_eq!(code(soon(channel.connect()).await).0, Code::Unavailable);
    assert_eq!(channel.state(), State::TransientFailure);
    channel.shut_down();
    let status = soon(async {
        loop {
            let status = ask(&Client::new(channel.clone()), "x").await.unwrap_err();
            if status.message().contains("shut down") {
                return status;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(status.await.code(), Code::Unavailable);
    assert_eq!(channel.state(), State::Shutdown);
}

#[tokio::test]
async fn a_closed_channel_has_ended_its_calls_and_connections() {
    let (address, handle) = serve(Server::builder()).await;
    let client = Client::new(Channel::builder(&address).connect_lazy().unwrap());
    let (sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    receiver.next().await.unwrap();
    let channel = client.channel().clone();
    let mut closing = tokio::spawn(async move { channel.close().await });
    while client.channel().state() != State::Shutdown {
        tokio::task::yield_now().await;
    }
    assert!(!closing.is_finished(), "a call is open");
    sender.finish();
    assert_eq!(receiver.next().await.unwrap(), None);
    soon(&mut closing).await.unwrap();
    // Nothing is left that a server would have to end.
    soon(async {
        while handle.connection_count() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn a_channel_that_nobody_used_is_shut_down_without_a_runtime_and_a_connection() {
    let channel = Channel::builder("127.0.0.1:1").connect_lazy().unwrap();
    channel.shut_down();
    assert_eq!(channel.state(), State::Shutdown);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        channel.close().await;
        channel.connect().await.unwrap_err()
    });
    assert!(status.message().contains("shut down"), "{status}");
}

#[tokio::test]
async fn why_there_is_no_connection_is_told_as_a_value_too() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let status = soon(Channel::builder(closed.to_string()).connect_lazy().unwrap().connect()).await;
    let status = status.unwrap_err();
    let source = std::error::Error::source(&status).unwrap();
    assert!(matches!(source.downcast_ref(), Some(ConnectError::Refused { .. })), "{source:?}");
    // The empty label is no name.
    let channel = Channel::builder("dns:///a..invalid:1").connect_lazy().unwrap();
    let status = soon(channel.connect()).await.unwrap_err();
    let source = std::error::Error::source(&status).unwrap();
    assert!(matches!(source.downcast_ref(), Some(ConnectError::Lookup { .. })), "{source:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_nobody_uses_becomes_idle() {
    let server = Server::builder().methods(|methods| harness::add(methods, Arc::default())).build().unwrap();
    let server = server.in_process();
    let builder = Channel::builder("in-process").in_process(server.connector());
    let client = Client::new(builder.idle_timeout(Duration::from_secs(60)).connect_lazy().unwrap());
    ask(&client, "hi").await.unwrap();
    let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    receiver.next().await.unwrap();
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(client.channel().state(), State::Ready, "a call is open");
    sender.send(text("still there")).await.unwrap();
    assert_eq!(receiver.next().await.unwrap().unwrap().value, "still there");
    sender.finish();
    assert_eq!(receiver.next().await.unwrap(), None);
    tokio::time::sleep(Duration::from_secs(130)).await;
    assert_eq!(client.channel().state(), State::Idle);
    assert_eq!(ask(&client, "again").await.unwrap(), "echo again");
}

type Halves = (dunlin::Sender<StringValue>, dunlin::Receiver<StringValue>);

async fn chat(client: &Client) -> Halves {
    let (sender, mut receiver) = soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
    assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
    (sender, receiver)
}

#[tokio::test]
async fn more_connections_are_made_when_the_server_allows_no_more_streams() {
    let (address, handle) = serve(Server::builder().max_concurrent_streams(2)).await;
    let client = Client::new(Channel::builder(&address).connect().await.unwrap());
    let mut open = Vec::new();
    for _ in 0..7 {
        open.push(chat(&client).await);
    }
    assert!(handle.connection_count() >= 4, "{}", handle.connection_count());
    for (sender, mut receiver) in open {
        sender.finish();
        assert_eq!(soon(receiver.next()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn with_one_connection_calls_wait_for_a_stream() {
    let (address, handle) = serve(Server::builder().max_concurrent_streams(1)).await;
    let builder = Channel::builder(&address).max_connections(1);
    let client = Client::new(builder.connect().await.unwrap());
    let (sender, mut receiver) = chat(&client).await;
    let late = client.unary::<_, StringValue>(UNARY, text("x")).timeout(Duration::from_millis(30));
    assert_eq!(code(soon(late).await).0, Code::DeadlineExceeded);
    let dropped = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("x")));
    tokio::task::yield_now().await;
    dropped.abort();
    let waiting: Vec<_> =
        (0..3).map(|_| tokio::spawn(client.unary::<_, StringValue>(UNARY, text("next")))).collect();
    sender.finish();
    assert_eq!(soon(receiver.next()).await.unwrap(), None);
    for call in waiting {
        assert_eq!(soon(call).await.unwrap().unwrap().value, "echo next");
    }
    assert_eq!(handle.connection_count(), 1);
}

/// A server whose first connection answers the first request with these frames, and whose others are real.
async fn first_answers(settings: &'static [(u16, u32)], frames: Vec<Frame>) -> Client {
    let (address, _) = serve(Server::builder()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.unwrap();
        io.write_all(&bytes([&Frame::settings(settings)])).await.unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(6).any(|window| window == [0, 1, 0, 0, 0, 1]) {
            let read = io.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        io.write_all(&bytes(&[Frame::settings_ack()])).await.unwrap();
        io.write_all(&bytes(&frames)).await.unwrap();
        // Streams above the first are answered too, so that both ways of going on can be seen.
        let block = Block::of(&[(":status", "200"), ("content-type", "application/grpc")]);
        let answer = [
            Frame::headers(3, block.octets()),
            Frame::data(3, [0, 0, 0, 0, 6, 0x0a, 4, b's', b'a', b'm', b'e']),
            Frame::headers(3, Block::of(&[("grpc-status", "0")]).octets()).end_stream(),
        ];
        let (mut seen, mut is_open) = (Vec::new(), true);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (mut near, _) = accepted.unwrap();
                    let mut far = tokio::net::TcpStream::connect(&address).await.unwrap();
                    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
                }
                read = io.read(&mut buffer), if is_open => {
                    let read = read.unwrap_or(0);
                    is_open = read > 0;
                    seen.extend_from_slice(&buffer[..read]);
                    if seen.windows(6).any(|window| window == [0, 1, 0, 0, 0, 3]) {
                        seen.clear();
                        io.write_all(&bytes(&answer)).await.unwrap();
                    }
                }
            }
        }
    });
    Client::new(Channel::builder(front.to_string()).connect_lazy().unwrap())
}

#[tokio::test]
async fn a_call_that_was_not_looked_at_is_begun_again() {
    let client = first_answers(&[], vec![Frame::rst_stream(1, 7)]).await;
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "same", "refused: once more");
    let client = first_answers(&[], vec![Frame::goaway(0, 0)]).await;
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi", "going away: on another connection");
    let client = first_answers(&[], vec![Frame::rst_stream(1, 8)]).await;
    assert_eq!(code(soon(ask(&client, "hi")).await).0, Code::Cancelled, "it was looked at");
}

#[tokio::test]
async fn a_stream_that_is_reset_makes_room_for_the_next_call() {
    // SETTINGS_MAX_CONCURRENT_STREAMS.
    let lazy = first_answers(&[(3, 1)], vec![Frame::rst_stream(1, 8)]).await;
    let builder = Channel::builder(lazy.channel().target().to_string()).max_connections(1);
    let client = Client::new(builder.connect().await.unwrap());
    let (first, second) = soon(async { tokio::join!(ask(&client, "first"), ask(&client, "second")) }).await;
    assert_eq!(code(first).0, Code::Cancelled);
    assert_eq!(second.unwrap(), "same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_while_servers_come_and_go() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let backoff = Backoff::default().initial(Duration::from_millis(1)).most(Duration::from_millis(5));
    let client = Client::new(Channel::builder(&address).backoff(backoff).connect_lazy().unwrap());
    let client =
        client.with_options(CallOptions::new().wait_for_ready(true).timeout(Duration::from_secs(15)));
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (client, is_over) = (client.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut answered = 0;
                while !is_over.load(Ordering::Relaxed) {
                    match ask(&client, "yield x").await {
                        Ok(_) => answered += 1,
                        Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
                    }
                }
                answered
            })
        })
        .collect();
    for round in 0..30 {
        let server = Server::builder().methods(|methods| harness::add(methods, Arc::default()));
        let bound = server.bind(&address).await.unwrap();
        let handle = bound.shutdown_handle();
        let serving = tokio::spawn(bound.serve());
        tokio::time::sleep(Duration::from_millis(10)).await;
        // Each other time calls are cut off.
        handle.shut_down(if round % 2 == 0 { Duration::from_secs(5) } else { Duration::ZERO });
        let _ = soon(serving).await.unwrap().unwrap();
    }
    let (last, _) = {
        let server = Server::builder().methods(|methods| harness::add(methods, Arc::default()));
        let bound = server.bind(&address).await.unwrap();
        let handle = bound.shutdown_handle();
        (tokio::spawn(bound.serve()), handle)
    };
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(soon(caller).await.unwrap() > 30);
    }
    last.abort();
}

#[tokio::test]
async fn a_call_that_waits_for_ready_outlives_failures() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let backoff = Backoff::default().initial(Duration::from_millis(10));
    let builder = Channel::builder(format!("ipv4:127.0.0.1:1,{address}")).backoff(backoff);
    let client = Client::new(builder.connect_lazy().unwrap());
    let waiting = client.unary::<_, StringValue>(UNARY, text("patience")).wait_for_ready(true);
    let waiting = tokio::spawn(waiting);
    assert_eq!(soon(client.channel().state_change(State::Idle)).await, State::Connecting);
    while client.channel().state() != State::TransientFailure {
        tokio::task::yield_now().await;
    }
    let (found, message) = code(soon(ask(&client, "impatience")).await);
    assert_eq!(found, Code::Unavailable);
    assert!(message.contains("127.0.0.1:1: ") && message.contains(&format!("{address}: ")), "{message}");
    let server = Server::builder().methods(|methods| harness::add(methods, Arc::default()));
    let bound = server.bind(&address.to_string()).await.unwrap();
    tokio::spawn(bound.serve());
    assert_eq!(soon(waiting).await.unwrap().unwrap().value, "echo patience");
}

/// A token that has to be fetched.
struct Fetched(AtomicUsize);

impl CallCredentials for Fetched {
    fn metadata<'a>(&'a self, method: &'a Method, _: &'a str) -> BoxFuture<'a, Result<Metadata, Status>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            if count == 2 {
                return Err(Status::not_found("no more tokens"));
            }
            Ok(harness::metadata(&[("x-token", &format!("{} {count}", method.name()))]))
        })
    }

    fn allows_clear_text(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn credentials_are_fetched_for_each_call() {
    let (address, _) = serve(Server::builder()).await;
    let builder = Channel::builder(&address).credentials(Credentials::new(Fetched(AtomicUsize::new(0))));
    let client = Client::new(builder.connect_lazy().unwrap());
    assert_eq!(soon(ask(&client, "metadata x-token")).await.unwrap(), "Unary 0");
    assert_eq!(soon(ask(&client, "metadata x-token")).await.unwrap(), "Unary 1");
    // NOT_FOUND would look as if the application had said it.
    let (found, message) = code(soon(ask(&client, "metadata x-token")).await);
    assert!(found == Code::Internal && message.contains("no more tokens"), "{found}: {message}");
}

#[tokio::test]
async fn secrets_do_not_go_over_clear_text() {
    let (address, _) = serve(Server::builder()).await;
    let client = Client::new(Channel::builder(&address).connect_lazy().unwrap());
    let call = |token: Token| {
        client
            .unary::<_, StringValue>(UNARY, text("metadata authorization"))
            .credentials(Credentials::new(token))
    };
    assert_eq!(code(soon(call(Token::new("secret"))).await).0, Code::Unauthenticated);
    let call = call(Token::new("secret").danger_allow_clear_text());
    assert_eq!(soon(call).await.unwrap().value, "Bearer secret");
}

#[tokio::test]
async fn a_channel_may_compress_all_requests() {
    let (address, _) = serve(Server::builder()).await;
    let builder = Channel::builder(&address).send_compressed(dunlin::Encoding::Gzip);
    let client = Client::new(builder.connect_lazy().unwrap());
    let call = || client.unary::<_, StringValue>(UNARY, text("compressed "));
    assert_eq!(soon(call()).await.unwrap().value, "true");
    assert_eq!(soon(call().compress(false)).await.unwrap().value, "false");
    assert_eq!(soon(call().encoding(dunlin::Encoding::Identity)).await.unwrap().value, "false");
}

#[tokio::test]
async fn options_of_a_client_hold_for_all_its_calls() {
    let (address, _) = serve(Server::builder()).await;
    let client = Client::new(Channel::builder(&address).user_agent("shop/1").connect_lazy().unwrap());
    assert!(soon(ask(&client, "metadata user-agent")).await.unwrap().starts_with("shop/1 grpc-rust-dunlin/"));
    let client =
        client.with_options(CallOptions::new().metadata("x-a", "client").timeout(Duration::from_secs(9)));
    let client = client.with_options(CallOptions::new().metadata("x-b", "too"));
    assert_eq!(soon(ask(&client, "metadata x-a")).await.unwrap(), "client");
    assert_eq!(soon(ask(&client, "metadata x-b")).await.unwrap(), "too");
    let remaining: u64 = soon(ask(&client, "remaining")).await.unwrap().parse().unwrap();
    assert!((1..=9000).contains(&remaining));
}
