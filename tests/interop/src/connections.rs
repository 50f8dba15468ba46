//! Keepalive, its enforcement and the age of connections, with grpc-go on the other side:
//! `interop-connections PROGRAM`, where PROGRAM is that of `foreign/connections`.
//!
//! All parts run beside one another, as most of the time is spent on waiting: ten seconds are the
//! shortest keepalive of either client. Prints a line for each part, and fails if any does.

use std::process::{ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dunlin::client::{Keepalive, State};
use dunlin::server::{Builder, ShutdownHandle};
use dunlin::{Channel, Code, Server, Status};
use dunlin_interop::cases::Failure;
use dunlin_interop::proto::{Empty, StreamingOutputCallRequest, TestServiceClient, TestServiceServer};
use dunlin_interop::service::Interop;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// No part takes as long.
const LIMIT: Duration = Duration::from_secs(100);
/// How long a load goes on, over connections that live for a second.
const LOAD: Duration = Duration::from_secs(10);
const CALLERS: usize = 40;
/// The shortest keepalive of both clients.
const SHORTEST: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// What was found, in a few words.
type Outcome = Result<String, Failure>;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(program) = std::env::args().nth(1) else {
        eprintln!("interop-connections: the program of grpc-go is wanted");
        return ExitCode::FAILURE;
    };
    let go: &'static Go = Box::leak(Box::new(Go(program)));
    let mut parts = JoinSet::new();
    let mut part = |name: &'static str, outcome: std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>| {
        parts.spawn(async move {
            let began = Instant::now();
            let outcome = match timeout(LIMIT, outcome).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("no end within {LIMIT:?}").into()),
            };
            (name, began.elapsed(), outcome)
        });
    };
    part("our client, Go's server: too many pings, and half as many", Box::pin(told_of_too_many_pings(go)));
    part("our client, Go's server: age under load", Box::pin(load_on_aging_server(go)));
    part("our client, Go's server: idle", Box::pin(idle_server(go)));
    part("our client, Go's server: its keepalive is answered", Box::pin(asked_by_server(go)));
    part("our client, Go's server: a network that dies", Box::pin(dead_network(go)));
    part("Go's client, our server: too many pings", Box::pin(tells_of_too_many_pings(go)));
    part("Go's client, our server: age under load", Box::pin(ages_under_load(go)));
    part("Go's client, our server: requests under load", Box::pin(ends_by_requests_under_load(go)));
    part("Go's client, our server: our keepalive is answered", Box::pin(asks_client(go)));
    part("Go's frames, our server: GOAWAY to the letter", Box::pin(goaways(go)));
    let mut failures = 0;
    while let Some(done) = parts.join_next().await {
        let (name, time, outcome) = done.expect("a part does not panic");
        let seconds = time.as_secs_f64();
        match outcome {
            Ok(found) => println!("{name:<60} ok     {seconds:5.1} s  {found}"),
            Err(failure) => {
                failures += 1;
                println!("{name:<60} FAILED {seconds:5.1} s  {failure}");
            }
        }
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(is_right: bool, found: impl FnOnce() -> String) -> Result<(), Failure> {
    if is_right { Ok(()) } else { Err(found().into()) }
}

// ---------------------------------------------------------------- grpc-go

struct Go(String);

/// A server of grpc-go, which ends with this value.
struct GoServer {
    _child: Child,
    address: String,
}

impl Go {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        // What is logged is no fault of anybody.
        command.stderr(Stdio::null());
        command
    }

    async fn serve(&self, flags: &[&str]) -> Result<GoServer, Failure> {
        let mut child = self.command(&[&["serve"], flags].concat()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let line = lines.next_line().await?.ok_or("the server does not start")?;
        let address = line.strip_prefix("listening on ").ok_or("the server does not listen")?.to_owned();
        Ok(GoServer { _child: child, address })
    }

    /// Runs a client, and gives what it has found.
    async fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.command(arguments).output().await?;
        check(output.status.success(), || format!("{arguments:?} ended with {}", output.status))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn fact<'o>(output: &'o str, name: &str) -> Result<&'o str, Failure> {
    let found = output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.ok_or_else(|| format!("no `{name}` in: {output}").into())
}

fn number(output: &str, name: &str) -> Result<u64, Failure> {
    Ok(fact(output, name)?.parse()?)
}

// ---------------------------------------------------------------- our side

fn client(address: &str, keepalive: Option<Keepalive>) -> Result<TestServiceClient, Failure> {
    let channel = Channel::builder(format!("ipv4:{address}")).keepalive(keepalive).connect_lazy()?;
    Ok(TestServiceClient::new(channel))
}

async fn serve(builder: Builder) -> Result<(String, ShutdownHandle), Failure> {
    let bound = builder.add_service(TestServiceServer::new(Interop::new())).bind("127.0.0.1:0").await?;
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    tokio::spawn(bound.serve());
    Ok((address, handle))
}

/// Opens a call that says nothing, and gives the status that ends it.
async fn end_of_silent_call(client: &TestServiceClient) -> Result<Status, Failure> {
    let (_sender, mut receiver) = client.full_duplex_call().await?;
    match receiver.next().await {
        Ok(message) => Err(format!("{message:?} and not an end").into()),
        Err(status) => Ok(status),
    }
}

/// Stands between a client and a server, and notes the PINGs of the client.
struct Relay {
    address: String,
    /// For each connection, how long it was there when each PING came.
    pings: Arc<Mutex<Vec<Vec<Duration>>>>,
    is_dead: Arc<AtomicBool>,
}

impl Relay {
    async fn to(target: String) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let relay = Self {
            address: listener.local_addr()?.to_string(),
            pings: Arc::default(),
            is_dead: Arc::default(),
        };
        let (pings, is_dead) = (Arc::clone(&relay.pings), Arc::clone(&relay.is_dead));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&target).await else { continue };
                // What is small goes on at once, as it would without a relay.
                let _ = near.set_nodelay(true).and(far.set_nodelay(true));
                let place = {
                    let mut pings = pings.lock().expect("nobody panics with it");
                    pings.push(Vec::new());
                    pings.len() - 1
                };
                let (pings, began) = (Arc::clone(&pings), Instant::now());
                let note = move || {
                    pings.lock().expect("nobody panics with it")[place].push(began.elapsed());
                };
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(forward(near.0, far.1, Arc::clone(&is_dead), PREFACE_LEN, note));
                tokio::spawn(forward(far.0, near.1, Arc::clone(&is_dead), 0, || ()));
            }
        });
        Ok(relay)
    }

    fn pings(&self) -> Vec<Vec<Duration>> {
        self.pings.lock().expect("nobody panics with it").clone()
    }
}

const PREFACE_LEN: usize = 24;

/// Forwards octets as long as the network lives, and says when a PING was among them.
async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    is_dead: Arc<AtomicBool>,
    skip: usize,
    note: impl Fn() + Send,
) {
    const PING: u8 = 6;
    const ACK: u8 = 1;
    let (mut skip, mut held, mut buffer) = (skip, Vec::new(), vec![0; 16 << 10]);
    while let Ok(count) = from.read(&mut buffer).await {
        if is_dead.load(Ordering::Relaxed) {
            // What comes is lost, and so is the end.
            if count == 0 {
                return std::future::pending().await;
            }
            continue;
        }
        if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        held.extend_from_slice(&buffer[..count]);
        while let Some(head) = held.get(skip..skip + 9) {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            if head[3] == PING && head[4] & ACK == 0 {
                note();
            }
            skip += 9 + len;
        }
        let gone = skip.min(held.len());
        held.drain(..gone);
        skip -= gone;
    }
}

// ---------------------------------------------------------------- our client

fn is_about(found: Duration, wanted: Duration) -> bool {
    found + SECOND / 10 >= wanted && found <= wanted + 3 * SECOND
}

async fn told_of_too_many_pings(go: &Go) -> Outcome {
    let server = go.serve(&["-min-time", "1h"]).await?;
    let relay = Relay::to(server.address.clone()).await?;
    let client = client(&relay.address, Some(Keepalive::every(SECOND)))?;
    let began = Instant::now();
    let status = end_of_silent_call(&client).await?;
    let took = began.elapsed();
    check(status.code() == Code::Unavailable, || status.to_string())?;
    check(status.message().contains("(ENHANCE_YOUR_CALM, too_many_pings)"), || status.to_string())?;
    let pings = relay.pings().concat().len();
    check((3..=5).contains(&pings) && is_about(took, SHORTEST * pings as u32), || {
        format!("{pings} pings in {took:?}")
    })?;
    // The first PING of the next connection takes twice as long.
    let waited = timeout(2 * SHORTEST + 2 * SECOND, end_of_silent_call(&client)).await;
    check(waited.is_err(), || format!("{waited:?}"))?;
    let second = relay.pings().pop().unwrap_or_default();
    check(second.len() == 1 && is_about(second[0], 2 * SHORTEST), || format!("then pings at {second:?}"))?;
    Ok(format!("after {pings} pings; the next one after {:.1} s", second[0].as_secs_f64()))
}

/// Calls without end, from many tasks. How many went well; one that fails is the outcome.
async fn load(client: &TestServiceClient) -> Result<usize, Failure> {
    let (until, calls) = (Instant::now() + LOAD, Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, calls) = (client.clone(), Arc::clone(&calls));
        callers.spawn(async move {
            let mut round = 0;
            while Instant::now() < until {
                round += 1;
                if round % 4 == 0 {
                    let (mut sender, mut receiver) = client.full_duplex_call().await?;
                    for _ in 0..3 {
                        sender.send(StreamingOutputCallRequest::default()).await?;
                        receiver.next().await?;
                        sleep(Duration::from_millis(5)).await;
                    }
                    sender.finish();
                    while receiver.next().await?.is_some() {}
                } else {
                    client.empty_call(Empty::default()).await?;
                }
                calls.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1)).await;
            }
            Ok::<(), Status>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(calls.load(Ordering::Relaxed))
}

async fn load_on_aging_server(go: &Go) -> Outcome {
    let server = go.serve(&["-age", "1s"]).await?;
    let relay = Relay::to(server.address.clone()).await?;
    let calls = load(&client(&relay.address, None)?).await?;
    let connections = relay.pings().len();
    check(connections >= 8 && calls > 1000, || format!("{calls} calls on {connections} connections"))?;
    Ok(format!("{calls} calls on {connections} connections, none failed"))
}

async fn idle_server(go: &Go) -> Outcome {
    let server = go.serve(&["-idle", "2s"]).await?;
    let client = client(&server.address, None)?;
    client.empty_call(Empty::default()).await?;
    let began = Instant::now();
    let channel = client.channel();
    check(channel.state() == State::Ready, || format!("{:?}", channel.state()))?;
    let state = channel.state_change(State::Ready).await;
    check(state == State::Idle && is_about(began.elapsed(), 2 * SECOND), || {
        format!("{state:?} after {:?}", began.elapsed())
    })?;
    client.empty_call(Empty::default()).await?;
    Ok("idle, and a call connects again".to_owned())
}

async fn asked_by_server(go: &Go) -> Outcome {
    let server = go.serve(&["-time", "1s"]).await?;
    let client = client(&server.address, None)?;
    client.empty_call(Empty::default()).await?;
    let changed = timeout(6 * SECOND, client.channel().state_change(State::Ready)).await;
    check(changed.is_err(), || format!("{changed:?}"))?;
    client.empty_call(Empty::default()).await?;
    Ok("the connection stays".to_owned())
}

async fn dead_network(go: &Go) -> Outcome {
    let server = go.serve(&[]).await?;
    let relay = Relay::to(server.address.clone()).await?;
    let client = client(&relay.address, Some(Keepalive::every(SHORTEST).timeout(2 * SECOND)))?;
    client.empty_call(Empty::default()).await?;
    let began = Instant::now();
    relay.is_dead.store(true, Ordering::Relaxed);
    let status = end_of_silent_call(&client).await?;
    let took = began.elapsed();
    check(status.code() == Code::Unavailable, || status.to_string())?;
    check(status.message().contains("the peer does not answer"), || status.to_string())?;
    check(is_about(took, SHORTEST + 2 * SECOND), || format!("it took {took:?}"))?;
    Ok(format!("noticed after {:.1} s", took.as_secs_f64()))
}

// ---------------------------------------------------------------- our server

async fn tells_of_too_many_pings(go: &Go) -> Outcome {
    let (address, _) = serve(Server::builder().permit_keepalive_time(3600 * SECOND)).await?;
    let output = go.run(&["pings", &address]).await?;
    let (status, seconds) = (fact(&output, "status")?, number(&output, "seconds")?);
    check(status.starts_with("Unavailable ") && status.contains("too_many_pings"), || status.to_owned())?;
    check((38..=44).contains(&seconds), || format!("after {seconds} s"))?;
    Ok(format!("after {seconds} s"))
}

async fn load_of_go(go: &Go, builder: Builder) -> Outcome {
    let (address, handle) = serve(builder).await?;
    let output = go.run(&["load", &address, &format!("{LOAD:?}"), &CALLERS.to_string()]).await?;
    let (calls, connections) = (number(&output, "calls")?, number(&output, "connections")?);
    check(number(&output, "failed")? == 0, || output.clone())?;
    check(connections >= 8 && calls > 1000, || output.clone())?;
    sleep(2 * SECOND).await;
    check(handle.connection_count() == 0, || format!("{} connections are left", handle.connection_count()))?;
    Ok(format!("{calls} calls on {connections} connections, none failed"))
}

async fn ages_under_load(go: &Go) -> Outcome {
    load_of_go(go, Server::builder().max_connection_age(SECOND)).await
}

async fn ends_by_requests_under_load(go: &Go) -> Outcome {
    load_of_go(go, Server::builder().max_requests_per_connection(500)).await
}

async fn asks_client(go: &Go) -> Outcome {
    let keepalive = Keepalive::every(SECOND).timeout(SECOND);
    let (address, _) = serve(Server::builder().keepalive(keepalive)).await?;
    let output = go.run(&["stay", &address, "6s"]).await?;
    check(fact(&output, "status")? == "DeadlineExceeded" && number(&output, "connections")? == 1, || {
        output.clone()
    })?;
    Ok("the connection stays".to_owned())
}

/// What a client of raw frames sees, to the letter.
async fn goaways(go: &Go) -> Outcome {
    let announced = |why: &str, last: u32| {
        vec![format!("goaway: 2147483647 NO_ERROR {why}"), format!("goaway: {last} NO_ERROR {why}")]
    };
    let rows = [
        (Server::builder().max_connection_age(SECOND), vec!["wait"], announced("max_age", 0)),
        (Server::builder().max_connection_idle(SECOND), vec!["wait"], announced("max_idle", 0)),
        (
            Server::builder().max_requests_per_connection(3),
            vec!["requests", "3"],
            announced("max_requests", 5),
        ),
        (Server::builder(), vec!["pings"], vec!["goaway: 0 ENHANCE_YOUR_CALM too_many_pings".to_owned()]),
        (
            Server::builder().handshake_timeout(SECOND / 2).max_connection_age(2 * SECOND),
            vec!["wait"],
            announced("max_age", 0),
        ),
    ];
    let count = rows.len();
    for (builder, arguments, wanted) in rows {
        let (address, _) = serve(builder).await?;
        let output = go.run(&[&["raw", &address], &arguments[..]].concat()).await?;
        let found: Vec<_> = output.lines().filter(|line| line.starts_with("goaway")).collect();
        check(found == wanted, || format!("{found:?} and not {wanted:?}"))?;
        fact(&output, "closed after")?;
    }
    Ok(format!("{count} of them"))
}
