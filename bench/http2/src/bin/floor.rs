//! What the kernel takes, and little else: one thread, epoll, and bytes that were made before.
//!
//! `floor [--tokio] ADDRESS:PORT unary SIZE | stream COUNT SIZE | echo`. The first two answer every request that
//! has ended with the same headers, messages and trailers, without looking at anything but the lengths,
//! types and flags of frames. `echo` gives bytes back as they come. With `--tokio` the same is done by tasks
//! of tokio on one thread, in place of epoll: what no server on this runtime is below.

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rustix::event::epoll;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

enum Mode {
    Unary(Vec<u8>),
    Stream { messages: usize, each: Vec<u8> },
    Echo,
}

struct Connection<S> {
    io: S,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    /// Streams to send messages on, and how many are left.
    streams: Vec<(u32, usize)>,
    has_begun: bool,
    has_answered: bool,
    received: usize,
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn message(size: usize) -> Vec<u8> {
    let mut message = vec![0; size + 5];
    message[1..5].copy_from_slice(&(size as u32).to_be_bytes());
    message
}

/// `:status: 200` and `content-type: application/grpc`, which goes into the table of the client.
const FIRST_HEADERS: &[u8] = b"\x88\x5f\x10application/grpc";
/// `grpc-status: 0`, the same.
const FIRST_TRAILERS: &[u8] = b"\x40\x0bgrpc-status\x010";
/// Once both have been sent. Servers use the table, so what it costs a client to decode the same text again
/// and again is not the question.
const HEADERS: &[u8] = b"\x88\xbf";
const TRAILERS: &[u8] = b"\xbe";

/// A stream of tokio, which wakes its task when there is more to do.
struct Polled {
    io: tokio::net::TcpStream,
    task: Waker,
    /// All that there is has been read.
    is_empty: bool,
}

impl Polled {
    fn result<T>(polled: Poll<std::io::Result<T>>) -> std::io::Result<T> {
        match polled {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Polled {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = Pin::new(&mut self.io).poll_read(&mut Context::from_waker(&self.task), &mut buffer);
        self.is_empty = polled.is_pending();
        Self::result(polled).map(|()| buffer.filled().len())
    }
}

impl Write for Polled {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::result(Pin::new(&mut self.io).poll_write(&mut Context::from_waker(&self.task), bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<S: Read + Write> Connection<S> {
    fn new(io: S) -> Self {
        Self {
            io,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            streams: Vec::new(),
            has_begun: false,
            has_answered: false,
            received: 0,
        }
    }

    /// Takes what there is, and answers. Whether the connection goes on.
    fn turn(&mut self, mode: &Mode, buffer: &mut [u8]) -> bool {
        loop {
            match self.io.read(buffer) {
                Ok(0) => return false,
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    self.take(mode);
                    if !self.flush(mode) {
                        return false;
                    }
                    // Less than asked for: there is no more, as far as anyone knows.
                    if count < buffer.len() {
                        return true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.flush(mode),
                Err(_) => return false,
            }
        }
    }

    fn take(&mut self, mode: &Mode) {
        if let Mode::Echo = mode {
            self.output.append(&mut self.input);
            return;
        }
        let mut at = 0;
        if !self.has_begun {
            if self.input.len() < 24 {
                return;
            }
            self.has_begun = true;
            at = 24;
            frame(&mut self.output, 4, 0, 0, &[0, 3, 0, 0, 1, 0]);
            frame(&mut self.output, 8, 0, 0, &0x3fff_0000u32.to_be_bytes());
        }
        while let Some(head) = self.input.get(at..at + 9) {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            if self.input.len() < at + 9 + len {
                break;
            }
            at += 9 + len;
            if kind == 0 {
                self.received += len;
            }
            if kind <= 1 && flags & END_STREAM != 0 {
                match mode {
                    Mode::Unary(message) => {
                        let is_first = !std::mem::replace(&mut self.has_answered, true);
                        let (headers, trailers) =
                            if is_first { (FIRST_HEADERS, FIRST_TRAILERS) } else { (HEADERS, TRAILERS) };
                        frame(&mut self.output, 1, END_HEADERS, stream, headers);
                        for part in message.chunks(16_384) {
                            frame(&mut self.output, 0, 0, stream, part);
                        }
                        frame(&mut self.output, 1, END_HEADERS | END_STREAM, stream, trailers);
                    }
                    Mode::Stream { messages, .. } => {
                        frame(&mut self.output, 1, END_HEADERS, stream, FIRST_HEADERS);
                        self.streams.push((stream, *messages));
                    }
                    Mode::Echo => {}
                }
            } else if kind == 4 && flags == 0 {
                frame(&mut self.output, 4, 1, 0, &[]);
            }
        }
        self.input.drain(..at);
        if self.received > 1 << 20 {
            frame(&mut self.output, 8, 0, 0, &(self.received as u32).to_be_bytes());
            self.received = 0;
        }
    }

    fn flush(&mut self, mode: &Mode) -> bool {
        loop {
            if let Mode::Stream { each, .. } = mode {
                while self.output.len() < 128 << 10
                    && let Some((stream, left)) = self.streams.last_mut()
                {
                    let stream = *stream;
                    if *left == 0 {
                        self.streams.pop();
                        frame(&mut self.output, 1, END_HEADERS | END_STREAM, stream, FIRST_TRAILERS);
                    } else {
                        *left -= 1;
                        frame(&mut self.output, 0, 0, stream, each);
                    }
                }
            }
            if self.output.is_empty() {
                return true;
            }
            match self.io.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
            if self.written == self.output.len() {
                self.output.clear();
                self.written = 0;
            }
        }
    }
}

fn main() -> std::io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let by_tokio = arguments.first().is_some_and(|first| first == "--tokio");
    if by_tokio {
        arguments.remove(0);
    }
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mode = match arguments.get(1).map(String::as_str) {
        Some("unary") => Mode::Unary(message(number(2))),
        Some("stream") => Mode::Stream { messages: number(2), each: message(number(3)) },
        Some("echo") => Mode::Echo,
        _ => {
            return Err(std::io::Error::other(
                "usage: floor [--tokio] ADDRESS:PORT unary SIZE | stream COUNT SIZE | echo",
            ));
        }
    };
    let listener = TcpListener::bind(&arguments[0])?;
    println!("listening on {}", listener.local_addr()?);
    if by_tokio { with_tokio(listener, mode) } else { with_epoll(&listener, &mode) }
}

fn with_tokio(listener: TcpListener, mode: Mode) -> std::io::Result<()> {
    let mode = std::sync::Arc::new(mode);
    // Timers are on, as in any server that has to end what takes too long.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (io, _) = listener.accept().await?;
            io.set_nodelay(true)?;
            let mode = mode.clone();
            tokio::spawn(async move {
                let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                let mut connection = Connection::new(Polled { io, task, is_empty: false });
                let mut buffer = vec![0; 64 << 10];
                poll_fn(|_| {
                    loop {
                        if !connection.turn(&mode, &mut buffer) {
                            return Poll::Ready(());
                        }
                        if connection.io.is_empty {
                            return Poll::Pending;
                        }
                    }
                })
                .await;
            });
        }
    })
}

fn with_epoll(listener: &TcpListener, mode: &Mode) -> std::io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, epoll::EventData::new_u64(u64::MAX), epoll::EventFlags::IN)?;
    let mut connections: Vec<Option<Connection<TcpStream>>> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            // A tracer has come or gone.
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for event in &events {
            let index = event.data.u64();
            if index == u64::MAX {
                let (io, _) = listener.accept()?;
                io.set_nodelay(true)?;
                io.set_nonblocking(true)?;
                let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                epoll::add(&poll, &io, epoll::EventData::new_u64(connections.len() as u64), flags)?;
                connections.push(Some(Connection::new(io)));
                continue;
            }
            let slot = &mut connections[index as usize];
            if let Some(connection) = slot
                && !connection.turn(mode, &mut buffer)
            {
                *slot = None;
            }
        }
    }
}
