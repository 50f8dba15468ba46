//! The floor of a client: a blocking socket, and requests that were made before.
//!
//! `raw-client ADDRESS:PORT requests IN_FLIGHT COUNT SIZE` sends unary calls with messages of SIZE bytes
//! on one connection, of `/canned/SIZE`; with a PATH behind it, of that, with SIZE bytes in field 1.
//! `raw-client ADDRESS:PORT checked IN_FLIGHT COUNT SIZE` does for each request what no client gets around,
//! of what `floor` answers.
//! `raw-client ADDRESS:PORT bytes COUNT SIZE` sends SIZE bytes and waits until as many
//! have come back, COUNT times.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use rustix::event::epoll;

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn literal(out: &mut Vec<u8>, name: &str, value: &str) {
    for text in [name, value] {
        if text == name {
            out.push(0x40);
        }
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<usize>().ok()).unwrap_or(1);
    let io = TcpStream::connect(arguments.first().ok_or_else(|| Error::other("no address"))?)?;
    io.set_nodelay(true)?;
    match arguments.get(1).map(String::as_str) {
        Some("requests") => {
            let path = arguments.get(5).map(String::as_str);
            requests(io, number(2), number(3), &message(number(4), path.is_some()), path, None)
        }
        Some("checked") => {
            let checks = Checks::new(&io, number(2), number(4) + 5)?;
            requests(io, number(2), number(3), &message(number(4), false), None, Some(checks))
        }
        Some("bytes") => bytes(io, number(2), number(3)),
        _ => Err(Error::other(
            "usage: raw-client ADDRESS:PORT requests IN_FLIGHT COUNT SIZE [PATH] | checked IN_FLIGHT COUNT SIZE | bytes COUNT SIZE",
        )),
    }
}

fn bytes(mut io: TcpStream, count: usize, size: usize) -> Result<()> {
    let message = vec![1; size];
    let mut buffer = vec![0; 256 << 10];
    for _ in 0..count {
        io.write_all(&message)?;
        let mut left = size;
        while left > 0 {
            left -= io.read(&mut buffer)?;
        }
    }
    Ok(())
}

/// A message with its prefix: zeros, or zeros in a field of bytes.
fn message(size: usize, is_field: bool) -> Vec<u8> {
    let mut body = Vec::new();
    if is_field {
        body.push(0x0a);
        let mut left = size;
        while left > 0x7f {
            body.push(left as u8 | 0x80);
            left >>= 7;
        }
        body.push(left as u8);
    }
    body.resize(body.len() + size, 0);
    [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat()
}

/// What any client has to know of its streams, and look at in what it gets; and a wait for more that is not the
/// read itself, as it has other things to wait for.
struct Checks {
    poll: OwnedFd,
    events: Vec<epoll::Event>,
    /// By the low bits of identifiers, of which those in flight are neighbours.
    calls: Vec<Call>,
    content: usize,
    window: i64,
}

#[derive(Clone, Copy, Default)]
struct Call {
    stream: u32,
    received: usize,
    has_headers: bool,
    window: i64,
}

const WINDOW: i64 = 0x3fff_ffff;

impl Checks {
    fn new(io: &TcpStream, in_flight: usize, content: usize) -> Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, io, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        let calls = vec![Call::default(); (in_flight * 2).next_power_of_two()];
        Ok(Self { poll, events: Vec::with_capacity(8), calls, content, window: WINDOW })
    }

    fn wait(&mut self) -> Result<()> {
        self.events.clear();
        epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut self.events), None)?;
        Ok(())
    }

    fn call(&mut self, stream: u32) -> &mut Call {
        let last = self.calls.len() - 1;
        &mut self.calls[(stream / 2) as usize & last]
    }

    fn begin(&mut self, stream: u32) {
        *self.call(stream) = Call { stream, received: 0, has_headers: false, window: WINDOW };
    }

    /// Whether a frame is in order. Header blocks are those of `floor`, which are known by heart.
    fn is_fine(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        if kind > 1 {
            return true;
        }
        let wanted = self.content;
        if kind == 0 {
            self.window -= payload.len() as i64;
        }
        let has_window = self.window >= 0;
        let call = self.call(stream);
        match (kind, flags) {
            _ if call.stream != stream => false,
            (0, 0) => {
                call.received += payload.len();
                call.window -= payload.len() as i64;
                call.has_headers && has_window && call.window >= 0
            }
            (1, 4) => {
                let is_first = !std::mem::replace(&mut call.has_headers, true);
                is_first && matches!(payload, b"\x88\xbf" | b"\x88\x5f\x10application/grpc")
            }
            (1, 5) => {
                call.stream = 0;
                let is_ok = matches!(payload, b"\xbe" | b"\x40\x0bgrpc-status\x010");
                is_ok && call.has_headers && call.received == wanted
            }
            _ => false,
        }
    }
}

fn requests(
    mut io: TcpStream,
    in_flight: usize,
    count: usize,
    message: &[u8],
    path: Option<&str>,
    mut checks: Option<Checks>,
) -> Result<()> {
    // The first request fills the table of the server; all others are indexes into it.
    let mut first = vec![0x83, 0x86];
    let canned = format!("/canned/{}", message.len() - 5);
    let fields = [
        (":path", path.unwrap_or(&canned)),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    fields.iter().for_each(|(name, value)| literal(&mut first, name, value));
    let indexed = [0x83, 0x86, 0xc1, 0xc0, 0xbf, 0xbe];
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut out, 4, 0, 0, &[0, 4, 0x3f, 0xff, 0xff, 0xff]);
    frame(&mut out, 8, 0, 0, &0x3fff_0000u32.to_be_bytes());
    io.write_all(&out)?;
    out.clear();
    // The windows of the server are small until it knows that its settings are known.
    let mut settings = [0; 9];
    io.read_exact(&mut settings)?;
    let mut rest = vec![0; usize::from(settings[2])];
    io.read_exact(&mut rest)?;
    frame(&mut out, 4, 1, 0, &[]);
    let (mut sent, mut done, mut received) = (0, 0, 0);
    let send = |out: &mut Vec<u8>, sent: &mut usize| {
        let stream = *sent as u32 * 2 + 1;
        frame(out, 1, 4, stream, if *sent == 0 { &first } else { &indexed });
        let parts = message.chunks(16_384);
        let last = parts.len() - 1;
        parts.enumerate().for_each(|(at, part)| frame(out, 0, u8::from(at == last), stream, part));
        *sent += 1;
    };
    while sent < in_flight.min(count) {
        if let Some(checks) = &mut checks {
            checks.begin(sent as u32 * 2 + 1);
        }
        send(&mut out, &mut sent);
    }
    let mut buffer = vec![0; 256 << 10];
    let mut held = 0;
    while done < count {
        io.write_all(&out)?;
        out.clear();
        if let Some(checks) = &mut checks {
            checks.wait()?;
        }
        let read = io.read(&mut buffer[held..])?;
        if read == 0 {
            return Err(Error::other("the server has closed the connection"));
        }
        let end = held + read;
        let mut at = 0;
        while let Some(head) = buffer[at..end].first_chunk::<9>() {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            if at + 9 + len > end {
                break;
            }
            if let Some(checks) = &mut checks {
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                if !checks.is_fine(head[3], head[4], stream, &buffer[at + 9..at + 9 + len]) {
                    return Err(Error::other(format!("a frame that is out of order: {head:?}")));
                }
            }
            at += 9 + len;
            match (head[3], head[4]) {
                (0, _) => received += len,
                (1, flags) if flags & 1 != 0 => {
                    done += 1;
                    if sent < count {
                        if let Some(checks) = &mut checks {
                            checks.begin(sent as u32 * 2 + 1);
                        }
                        send(&mut out, &mut sent);
                    }
                }
                (6, 0) => frame(&mut out, 6, 1, 0, &buffer[at - 8..at]),
                (3 | 7, _) => return Err(Error::other("the server has reset the stream or goes away")),
                _ => {}
            }
        }
        buffer.copy_within(at..end, 0);
        held = end - at;
        if received > 1 << 20 {
            if let Some(checks) = &mut checks {
                checks.window += received as i64;
            }
            frame(&mut out, 8, 0, 0, &(received as u32).to_be_bytes());
            received = 0;
        }
    }
    Ok(())
}
