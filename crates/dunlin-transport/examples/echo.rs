//! A small server to test and measure the engine with: what it answers needs no thought.
//!
//! `cargo run --release -p dunlin-transport --example echo -- 127.0.0.1:PORT [--tls]` prints
//! `listening on ADDR`. It echoes the body and the trailers of a request; a request without either
//! gets a short text. `/canned/N` answers a gRPC message of N bytes, `/stream/COUNT/N` as many of them, in
//! pieces of as many as fit into a frame, as a call sends messages that are ready; `/stream/COUNT/N/1` one
//! message at a time.
//! `--tls` makes a certificate for `localhost`, and `--threads N` takes N threads instead of one.

// What a program says is its interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dunlin_http2::{
    Config, Connection, ErrorCode, Event, Field, HeaderBlock, HeaderList, HeadersKind, StreamKey,
};
use dunlin_transport::tls::Identity;
use dunlin_transport::{
    Acceptor, CloseReason, ConnectionHandler, Driver, Endpoint, Listener, ListenerOptions, ServerTls,
};

/// What every connection shares.
struct Shared {
    config: Arc<Config>,
    text: HeaderBlock,
    grpc: HeaderBlock,
    grpc_ok: HeaderBlock,
}

impl Shared {
    fn new() -> Self {
        let block = |fields: &[(&str, &str)]| {
            let builder = HeaderBlock::builder();
            let builder =
                fields.iter().fold(builder, |builder, (name, value)| builder.field(Field::new(name, *value)));
            builder.build().expect("fields of our own")
        };
        Self {
            config: Arc::new(Config::default()),
            text: block(&[(":status", "200"), ("content-type", "text/plain")]),
            grpc: block(&[(":status", "200"), ("content-type", "application/grpc")]),
            grpc_ok: block(&[("grpc-status", "0")]),
        }
    }
}

/// One connection.
struct Echo {
    shared: Arc<Shared>,
    /// By the slot of the stream.
    calls: Vec<Option<Call>>,
    /// The message that was answered last.
    message: Bytes,
    /// The path of the request before, and what it asks for.
    path: Option<(String, Call)>,
}

#[derive(Clone, Copy)]
enum Call {
    /// Waits for the end of the request.
    Canned(usize),
    /// Messages that are left, the size of each, and how many are sent at once.
    Stream { left: usize, size: usize, at_once: usize, is_begun: bool },
    /// Content that is released once what is queued is sent.
    Echo { withheld: usize },
    /// Answered.
    Done,
}

impl Call {
    fn of(path: &str) -> Self {
        let mut numbers = path.split('/').skip(2).map_while(|part| part.parse().ok());
        if path.starts_with("/canned/") {
            Self::Canned(numbers.next().unwrap_or(0))
        } else if path.starts_with("/stream/") {
            let left = numbers.next().unwrap_or(0);
            let size = numbers.next().unwrap_or(0);
            let at_once = numbers.next().unwrap_or(FRAME / (size + 5)).max(1);
            Self::Stream { left, size, at_once, is_begun: false }
        } else {
            Self::Echo { withheld: 0 }
        }
    }
}

const GREETING: &str = "dunlin\n";
/// Messages below are copied into the output, others are sent by reference.
const SMALL: usize = 4096;
/// What every peer takes in a frame.
const FRAME: usize = 16_384;

impl Echo {
    fn call(&mut self, stream: StreamKey) -> Option<&mut Call> {
        self.calls.get_mut(stream.slot as usize)?.as_mut()
    }

    fn begin(&mut self, connection: &mut Connection, stream: StreamKey, headers: &HeaderList, ended: bool) {
        let slot = stream.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        let path = headers.get(":path").unwrap_or_default();
        let call = match &self.path {
            Some((known, call)) if known.as_bytes() == path => *call,
            _ => {
                let path = headers.path().unwrap_or_default();
                self.path.insert((path.to_owned(), Call::of(path))).1
            }
        };
        let is_echo = matches!(call, Call::Echo { .. });
        self.calls[slot] = Some(call);
        if is_echo {
            let _ = connection.send_headers(stream, &self.shared.text, false);
            if ended {
                let _ = connection.send_data(stream, Bytes::from_static(GREETING.as_bytes()), true);
                self.calls[slot] = Some(Call::Done);
            }
        } else if ended {
            self.answer(connection, stream);
        }
    }

    /// The request is there, or there is room for more of its answer.
    fn answer(&mut self, connection: &mut Connection, stream: StreamKey) {
        let shared = &self.shared;
        let Some(Some(call)) = self.calls.get_mut(stream.slot as usize) else { return };
        match call {
            Call::Canned(size) => {
                let size = *size;
                *call = Call::Done;
                let _ = connection.send_headers(stream, &shared.grpc, false);
                make(&mut self.message, size);
                send(connection, stream, &self.message, 1);
                let _ = connection.send_trailers(stream, &shared.grpc_ok);
            }
            Call::Stream { left, size, at_once, is_begun } => {
                if !*is_begun {
                    *is_begun = true;
                    let _ = connection.send_headers(stream, &shared.grpc, false);
                }
                make(&mut self.message, *size);
                while *left > 0 && !connection.is_congested(stream) {
                    let count = (*at_once).min(*left);
                    *left -= count;
                    send(connection, stream, &self.message, count);
                }
                if *left == 0 {
                    *call = Call::Done;
                    let _ = connection.send_trailers(stream, &shared.grpc_ok);
                }
            }
            Call::Echo { withheld } => {
                let bytes = std::mem::take(withheld);
                connection.release(stream, bytes);
            }
            Call::Done => {}
        }
    }
}

/// Makes a gRPC message of this size, unless it is there: not compressed, its length, and zeros.
fn make(message: &mut Bytes, size: usize) {
    if message.len() != size + 5 {
        let mut bytes = vec![0; size + 5];
        bytes[1..5].copy_from_slice(&(size as u32).to_be_bytes());
        *message = bytes.into();
    }
}

/// Sends a message so many times.
fn send(connection: &mut Connection, stream: StreamKey, message: &Bytes, count: usize) {
    let _ = if count == 1 && message.len() >= SMALL {
        connection.send_data(stream, message.clone(), false)
    } else {
        let write = |out: &mut Vec<u8>| (0..count).for_each(|_| out.extend_from_slice(message));
        connection.send_data_with(stream, message.len() * count, false, write)
    };
}

impl ConnectionHandler for Echo {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, headers, end_stream } => {
                self.begin(connection, stream, &headers, end_stream);
            }
            Event::Headers { stream, kind: HeadersKind::Trailers, headers, .. } => {
                let fields: Vec<Field<'_>> =
                    headers.iter().map(|field| Field::new(field.name, field.value)).collect();
                if let Some(Call::Echo { .. }) = self.call(stream) {
                    let _ = connection.send_trailers(stream, &fields[..]);
                } else {
                    self.answer(connection, stream);
                }
            }
            Event::Data { stream, data, end_stream } => {
                let len = data.len();
                if let Some(Call::Echo { withheld }) = self.call(stream) {
                    let _ = connection.send_data(stream, Bytes::copy_from_slice(data), end_stream);
                    if connection.is_congested(stream) {
                        *withheld += len;
                        return;
                    }
                } else if end_stream {
                    self.answer(connection, stream);
                }
                connection.release(stream, len);
            }
            Event::Drained { stream } => self.answer(connection, stream),
            Event::Reset { stream, .. } => {
                connection.forget(stream, ErrorCode::CANCEL);
                if let Some(call) = self.calls.get_mut(stream.slot as usize) {
                    *call = None;
                }
            }
            _ => {}
        }
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}
}

fn main() -> ExitCode {
    let mut address = None;
    let (mut is_tls, mut threads) = (false, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--tls" => is_tls = true,
            "--threads" => threads = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1),
            _ => address = Some(argument),
        }
    }
    let Some(address) = address else {
        eprintln!("usage: echo ADDRESS:PORT [--tls] [--threads N]");
        return ExitCode::from(2);
    };
    let runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    match runtime.expect("a runtime").block_on(serve(&address, is_tls)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str, is_tls: bool) -> Result<(), Box<dyn std::error::Error>> {
    let endpoint: Endpoint = address.parse()?;
    let listener = Listener::bind(&endpoint, &ListenerOptions::default()).await?;
    let mut builder = Acceptor::builder();
    if is_tls {
        builder = builder.tls(own_certificate()?);
    }
    let mut acceptor = builder.build(listener);
    println!("listening on {}", acceptor.local_addr());
    let shared = Arc::new(Shared::new());
    while let Some(accepted) = acceptor.next().await? {
        let connection = Connection::server(Arc::clone(&shared.config), Instant::now());
        let echo = Echo { shared: Arc::clone(&shared), calls: Vec::new(), message: Bytes::new(), path: None };
        let (_, driver) = Driver::new(accepted.io, connection, echo);
        let driver = driver.with_ledger(&accepted.ledger);
        tokio::spawn(async move {
            let reason = driver.await;
            if !matches!(reason, CloseReason::ByPeer | CloseReason::Shutdown) {
                eprintln!("{}: {reason:?}", accepted.info.peer);
            }
            drop(accepted.permit);
        });
    }
    Ok(())
}

fn own_certificate() -> Result<ServerTls, Box<dyn std::error::Error>> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let signed = rcgen::generate_simple_self_signed(names)?;
    let identity = Identity::from_pem(signed.cert.pem(), signed.signing_key.serialize_pem());
    Ok(ServerTls::builder().identity(identity).build()?)
}
