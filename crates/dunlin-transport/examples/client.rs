//! A small client to test the engine against other people's servers, and to load them.
//!
//! `cargo run --release -p dunlin-transport --example client -- URL [--requests N] [--concurrency N]
//! [--body BYTES] [--trailers] [--echo] [--insecure]` sends requests on one connection, a new one
//! whenever the server goes away, and prints what came back. `--echo` asks for the same body and trailers.
//! Exits with 1 if a request that the server may have processed failed.

// What a program says is its interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use dunlin_http2::{
    Config, Connection, ErrorCode, Event, Field, HeaderBlock, HeadersKind, ResetReason, StreamKey,
};
use dunlin_transport::tls::TrustRoots;
use dunlin_transport::{ClientTls, CloseReason, ConnectionHandler, Connector, Driver, Endpoint};

#[derive(Clone, Debug)]
struct Options {
    requests: usize,
    concurrency: usize,
    body: usize,
    trailers: bool,
    echo: bool,
}

/// What has been done, over all connections.
#[derive(Clone, Debug, Default)]
struct Totals {
    left: usize,
    succeeded: usize,
    failed: usize,
    again: usize,
    bytes: u64,
    trailers: usize,
    informational: usize,
    first_failure: Option<String>,
}

/// One connection.
struct Client {
    options: Options,
    /// Counted here while the connection lives, and given back when it ends.
    totals: Totals,
    all: Arc<Mutex<Totals>>,
    request: HeaderBlock,
    trailers: HeaderBlock,
    pattern: Bytes,
    calls: Vec<Option<Call>>,
    in_flight: usize,
    is_going: bool,
}

struct Call {
    left_to_send: usize,
    received: usize,
    status: u16,
    is_wrong: bool,
    has_trailers: bool,
}

/// The content of all bodies repeats after so many bytes.
const PATTERN: usize = 1 << 20;
const CHUNK: usize = 64 << 10;
/// Content below is copied into the output, other content is sent by reference.
const SMALL: usize = 4096;

impl Client {
    fn open(&mut self, connection: &mut Connection, now: Instant) {
        while !self.is_going && self.in_flight < self.options.concurrency {
            if self.totals.left == 0 {
                break;
            }
            let has_content = self.options.body > 0 || self.options.trailers;
            let Ok(stream) = connection.open(&self.request, !has_content) else { return };
            self.totals.left -= 1;
            self.in_flight += 1;
            let slot = stream.slot as usize;
            if self.calls.len() <= slot {
                self.calls.resize_with(slot + 1, || None);
            }
            self.calls[slot] = Some(Call {
                left_to_send: self.options.body,
                received: 0,
                status: 0,
                is_wrong: false,
                has_trailers: false,
            });
            if has_content {
                self.send(connection, stream);
            }
        }
        if self.in_flight == 0 && self.totals.left == 0 {
            connection.shut_down(now);
        }
    }

    fn send(&mut self, connection: &mut Connection, stream: StreamKey) {
        let has_trailers = self.options.trailers;
        let Some(Some(call)) = self.calls.get_mut(stream.slot as usize) else { return };
        while call.left_to_send > 0 && !connection.is_congested(stream) {
            let at = (self.options.body - call.left_to_send) % PATTERN;
            let len = CHUNK.min(call.left_to_send).min(PATTERN - at);
            call.left_to_send -= len;
            let is_last = call.left_to_send == 0 && !has_trailers;
            let part = at..at + len;
            let sent = if len < SMALL {
                connection
                    .send_data_with(stream, len, is_last, |out| out.extend_from_slice(&self.pattern[part]))
            } else {
                connection.send_data(stream, self.pattern.slice(part), is_last)
            };
            if sent.is_err() {
                return;
            }
        }
        if call.left_to_send == 0 && has_trailers {
            let _ = connection.send_trailers(stream, &self.trailers);
        }
    }

    fn finish(&mut self, stream: StreamKey, reset: Option<&ResetReason>) {
        let Some(call) = self.calls.get_mut(stream.slot as usize).and_then(Option::take) else { return };
        self.in_flight -= 1;
        let (echo, body) = (self.options.echo, self.options.body);
        let is_short = echo && body > 0 && call.received != body;
        let lacks_trailers = echo && self.options.trailers && !call.has_trailers;
        let totals = &mut self.totals;
        match reset {
            Some(ResetReason::NotProcessed | ResetReason::Remote(ErrorCode::REFUSED_STREAM)) => {
                totals.left += 1;
                totals.again += 1;
            }
            None if call.status == 200 && !call.is_wrong && !is_short && !lacks_trailers => {
                totals.succeeded += 1;
            }
            _ => {
                totals.failed += 1;
                let (status, received) = (call.status, call.received);
                let failure = format!("stream {}: status {status}, {received} bytes, {reset:?}", stream.id);
                totals.first_failure.get_or_insert(failure);
            }
        }
    }
}

impl ConnectionHandler for Client {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, kind, headers, end_stream } => {
                if kind == HeadersKind::Informational {
                    self.totals.informational += 1;
                }
                if let Some(Some(call)) = self.calls.get_mut(stream.slot as usize) {
                    match kind {
                        HeadersKind::Response => call.status = headers.status().unwrap_or_default(),
                        HeadersKind::Trailers => {
                            call.has_trailers = !self.options.trailers
                                || !self.options.echo
                                || headers.get("x-checksum") == Some(b"none");
                        }
                        _ => {}
                    }
                }
                if kind == HeadersKind::Trailers {
                    self.totals.trailers += 1;
                }
                if end_stream {
                    self.finish(stream, None);
                    connection.forget(stream, ErrorCode::CANCEL);
                }
            }
            Event::Data { stream, data, end_stream } => {
                self.totals.bytes += data.len() as u64;
                if let Some(Some(call)) = self.calls.get_mut(stream.slot as usize) {
                    if self.options.echo && self.options.body > 0 {
                        let at = call.received % PATTERN;
                        let first = data.len().min(PATTERN - at);
                        call.is_wrong |= data[..first] != self.pattern[at..at + first]
                            || data[first..] != self.pattern[..data.len() - first];
                    }
                    call.received += data.len();
                }
                connection.release(stream, data.len());
                if end_stream {
                    self.finish(stream, None);
                    connection.forget(stream, ErrorCode::CANCEL);
                }
            }
            Event::Drained { stream } => self.send(connection, stream),
            Event::Reset { stream, reason } => {
                self.finish(stream, Some(&reason));
                connection.forget(stream, ErrorCode::CANCEL);
            }
            Event::GoAway { .. } => self.is_going = true,
            _ => {}
        }
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}

    fn poll(&mut self, connection: &mut Connection, _: &mut Context<'_>, now: Instant) {
        self.open(connection, now);
    }

    fn closed(&mut self, _: &Connection, _: &CloseReason) {
        // What was not answered may have been processed.
        for slot in 0..self.calls.len() {
            if self.calls[slot].is_some() {
                self.calls[slot] = None;
                self.in_flight -= 1;
                let totals = &mut self.totals;
                totals.failed += 1;
                totals.first_failure.get_or_insert_with(|| "the connection was closed".to_owned());
            }
        }
        *self.all.lock().expect("nothing panics under the lock") = std::mem::take(&mut self.totals);
    }
}

async fn run(url: &str, options: Options, insecure: bool) -> Result<Totals, Box<dyn std::error::Error>> {
    let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = format!("/{path}");
    let method = if options.body > 0 || options.trailers { "POST" } else { "GET" };
    let mut request = HeaderBlock::builder()
        .field(Field::new(":method", method))
        .field(Field::new(":scheme", scheme))
        .field(Field::new(":path", &path))
        .field(Field::new(":authority", authority));
    if options.trailers {
        request = request.field(Field::new("te", "trailers")).field(Field::new("trailer", "x-checksum"));
    }
    let request = request.build()?;
    let trailers = HeaderBlock::builder().field(Field::new("x-checksum", "none")).build()?;
    let mut connector = Connector::new();
    if scheme == "https" {
        let builder = match insecure {
            true => ClientTls::builder().danger_accept_any_certificate(true),
            false => ClientTls::builder().roots(TrustRoots::system()),
        };
        connector = connector.tls(builder.build()?);
    }
    let endpoint: Endpoint = authority.parse()?;
    let pattern: Bytes = (0..PATTERN).map(|at| (at * 31 + at / 251) as u8).collect::<Vec<u8>>().into();
    let totals = Arc::new(Mutex::new(Totals { left: options.requests, ..Totals::default() }));
    let config = Arc::new(Config::default());
    let mut attempts = 0;
    loop {
        let before = totals.lock().expect("nothing panics under the lock").clone();
        if before.left == 0 {
            return Ok(before);
        }
        attempts += 1;
        if attempts > 100 {
            return Err("the server goes away again and again".into());
        }
        let (io, _) = connector.connect(&endpoint).await?;
        let client = Client {
            options: options.clone(),
            totals: before,
            all: Arc::clone(&totals),
            request: request.clone(),
            trailers: trailers.clone(),
            pattern: pattern.clone(),
            calls: Vec::new(),
            in_flight: 0,
            is_going: false,
        };
        let connection = Connection::client(Arc::clone(&config), Instant::now());
        let (_, driver) = Driver::new(io, connection, client);
        let reason = driver.await;
        if let CloseReason::Protocol(_) | CloseReason::Io(_) = reason {
            return Err(reason.into());
        }
    }
}

fn main() -> ExitCode {
    let mut options = Options { requests: 1, concurrency: 1, body: 0, trailers: false, echo: false };
    let (mut url, mut insecure) = (None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1);
        match argument.as_str() {
            "--requests" => options.requests = number(),
            "--concurrency" => options.concurrency = number(),
            "--body" => options.body = number(),
            "--trailers" => options.trailers = true,
            "--echo" => options.echo = true,
            "--insecure" => insecure = true,
            _ => url = Some(argument),
        }
    }
    let Some(url) = url else {
        eprintln!(
            "usage: client URL [--requests N] [--concurrency N] [--body BYTES] [--trailers] [--echo] [--insecure]"
        );
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let started = Instant::now();
    match runtime.block_on(run(&url, options, insecure)) {
        Ok(totals) => {
            let Totals { succeeded, failed, again, bytes, trailers, informational, .. } = totals;
            println!(
                "{succeeded} succeeded, {failed} failed, {again} sent again, {bytes} bytes, {trailers} trailers, \
                 {informational} informational, {:.3} s",
                started.elapsed().as_secs_f64()
            );
            match totals.first_failure {
                None => ExitCode::SUCCESS,
                Some(failure) => {
                    eprintln!("client: {failure}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(error) => {
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}
