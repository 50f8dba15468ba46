//! Very many connections that do nothing, and good clients among them. In a process of its own: the
//! limit of descriptors is one of the whole process.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Builder, ServerContext, ShutdownHandle};
use dunlin::{CallKind, Channel, Method, Server};
use dunlin_testkit::http2::{Frame, PREFACE, bytes};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const ECHO: Method = Method::new("test.Echo", "Echo", "/test.Echo/Echo", CallKind::Unary);
/// As many as a server takes by default.
const CROWD: usize = 10_000;
/// Descriptors that others in the process need.
const OTHERS: usize = 1_000;
/// More than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A server on threads of its own, as this test blocks.
fn start(runtime: &tokio::runtime::Runtime, builder: Builder) -> (String, ShutdownHandle) {
    let server = builder.methods(|methods| {
        methods.unary(ECHO, |cx: ServerContext, request: StringValue| async move { (cx, Ok(request)) });
    });
    let bound = runtime.block_on(server.bind("127.0.0.1:0")).expect("a free port");
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    runtime.spawn(bound.serve());
    (address, handle)
}

/// Calls without a pause until it is dropped; each call has to be answered.
struct Good {
    task: tokio::task::JoinHandle<usize>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Good {
    fn start(runtime: &tokio::runtime::Runtime, address: &str) -> Self {
        let client = Client::new(Channel::builder(address).connect_lazy().expect("a channel"));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let task = runtime.spawn(async move {
            let mut calls = 0;
            loop {
                let request = StringValue { value: "good".to_owned(), ..Default::default() };
                let call = client.unary::<_, StringValue>(ECHO, request).timeout(LIMIT);
                assert_eq!(call.await.expect("good clients are served").value, "good");
                calls += 1;
                if *stopped.borrow() {
                    return calls;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self { task, stop }
    }

    fn stop(self, runtime: &tokio::runtime::Runtime) -> usize {
        self.stop.send_replace(true);
        runtime.block_on(self.task).expect("all calls were answered")
    }
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the state of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|size| size.parse::<usize>().ok()).expect("a number") * 1024
}

/// Two descriptors for each connection, as both ends are here.
fn crowd() -> usize {
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }).expect("up to the maximum");
    let limit = before.maximum.map_or(CROWD * 2 + OTHERS, |most| usize::try_from(most).unwrap_or(usize::MAX));
    CROWD.min(limit.saturating_sub(OTHERS) / 2)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_at_end(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn a_crowd_that_does_nothing_costs_little_and_keeps_nobody_out() {
    let count = crowd();
    assert!(count >= 100, "there are descriptors for {count} connections only");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // A place for each, and for a good client.
    let builder = Server::builder().max_connections(count + 10);
    let (address, handle) = start(&runtime, builder.max_connection_idle(Duration::from_secs(600)));
    let good = Good::start(&runtime, &address);
    wait_until("the good client", || handle.connection_count() == 1);
    let before = resident();
    let hello = [PREFACE.as_slice(), &bytes(&[Frame::settings(&[]), Frame::settings_ack()])].concat();
    let mut sockets: Vec<_> = (0..count)
        .map(|_| {
            let mut socket = TcpStream::connect(&address).expect("the server listens");
            socket.write_all(&hello).expect("a few octets");
            socket
        })
        .collect();
    wait_until("all connections", || handle.connection_count() == count + 1);
    // Connections that are idle for a second give their buffers back.
    std::thread::sleep(Duration::from_secs(2));
    let each = resident().saturating_sub(before) / count;
    assert!(each < 16 << 10, "{each} bytes for each of {count} connections");
    // Newcomers are served as well.
    let late = Good::start(&runtime, &address);
    wait_until("a newcomer", || handle.connection_count() == count + 2);
    assert!(late.stop(&runtime) > 0);
    assert!(good.stop(&runtime) > 100);
    // All of them hear of the end, and none holds it up.
    handle.shut_down(Duration::from_secs(30));
    sockets.iter_mut().for_each(|socket| assert!(is_at_end(socket)));
    wait_until("the end of all connections", || handle.connection_count() == 0);
}

#[test]
fn connections_that_never_become_ready_give_their_places_back() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let builder = Server::builder().max_connections(50).handshake_timeout(Duration::from_millis(500));
    let (address, handle) = start(&runtime, builder);
    // Three times as many as there are places: silent ones, slow ones, and those that only begin.
    let mut sockets: Vec<_> = (0..150)
        .map(|number| {
            let mut socket = TcpStream::connect(&address).expect("the server listens");
            if number % 3 > 0 {
                socket.write_all(&PREFACE[..number % 3 * 12]).expect("a few octets");
            }
            socket
        })
        .collect();
    // It waits for its place behind all of them.
    let good = Good::start(&runtime, &address);
    sockets.iter_mut().for_each(|socket| assert!(is_at_end(socket)));
    wait_until("the good client", || handle.connection_count() == 1);
    assert!(good.stop(&runtime) > 0);
}

#[test]
fn idle_connections_make_room_for_those_that_wait() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let builder = Server::builder().max_connections(20).max_connection_idle(Duration::from_millis(300));
    let (address, _) = start(&runtime, builder);
    let hello = [PREFACE.as_slice(), &bytes(&[Frame::settings(&[]), Frame::settings_ack()])].concat();
    let sockets: Vec<_> = (0..20)
        .map(|_| {
            let mut socket = TcpStream::connect(&address).expect("the server listens");
            socket.write_all(&hello).expect("a few octets");
            socket
        })
        .collect();
    // The one call of a client that has to wait for them.
    assert_eq!(Good::start(&runtime, &address).stop(&runtime), 1);
    drop(sockets);
}
