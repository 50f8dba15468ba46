//! The floor of a client: a blocking socket, and requests that were made before.
//!
//! `raw-client ADDRESS:PORT requests IN_FLIGHT COUNT SIZE` sends unary calls with messages of SIZE bytes
//! on one connection, of `/canned/SIZE`; with a PATH behind it, of that, with SIZE bytes in field 1.
//! `raw-client ADDRESS:PORT bytes COUNT SIZE` sends SIZE bytes and waits until as many
//! have come back, COUNT times.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;

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
            requests(io, number(2), number(3), &message(number(4), path.is_some()), path)
        }
        Some("bytes") => bytes(io, number(2), number(3)),
        _ => Err(Error::other(
            "usage: raw-client ADDRESS:PORT requests IN_FLIGHT COUNT SIZE [PATH] | bytes COUNT SIZE",
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

fn requests(
    mut io: TcpStream,
    in_flight: usize,
    count: usize,
    message: &[u8],
    path: Option<&str>,
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
        send(&mut out, &mut sent);
    }
    let mut buffer = vec![0; 256 << 10];
    let mut held = 0;
    while done < count {
        io.write_all(&out)?;
        out.clear();
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
            at += 9 + len;
            match (head[3], head[4]) {
                (0, _) => received += len,
                (1, flags) if flags & 1 != 0 => {
                    done += 1;
                    if sent < count {
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
            frame(&mut out, 8, 0, 0, &(received as u32).to_be_bytes());
            received = 0;
        }
    }
    Ok(())
}
