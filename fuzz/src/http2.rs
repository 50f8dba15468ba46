//! The HTTP/2 engine.

use std::time::{Duration, Instant};

use dunlin_http2::hpack::{Decoder, Encoder, ListLimits};
use dunlin_http2::{Config, Connection, ErrorCode, Event, Field, HeadersKind, PREFACE, StreamKey};

const LIMITS: ListLimits = ListLimits { size: 8192, fields: 64 };

/// Reads header blocks, each behind an octet with its length, 0 for the one before once more: no list is above its
/// limit, what is remembered is what would be decoded, and what is decoded is encoded and decoded to the same.
pub fn hpack(data: &[u8]) {
    let mut decoder = Decoder::new(4096);
    let mut forgetful = Decoder::new(4096);
    let mut before = &[][..];
    let mut encoder = Encoder::new(4096, ["authorization"]);
    let mut again = Decoder::new(4096);
    let mut rest = data;
    while let Some((&len, tail)) = rest.split_first() {
        let (block, tail) = tail.split_at(usize::from(len).min(tail.len()));
        rest = tail;
        let block = if len == 0 { before } else { block };
        before = block;
        forgetful.shrink();
        let fresh = forgetful.decode(block, LIMITS);
        let list = match decoder.decode(block, LIMITS) {
            Ok(list) => list,
            Err(error) => return assert_eq!(fresh.err(), Some(error)),
        };
        assert_eq!(fresh.as_ref(), Ok(&list));
        let kept: usize = list.iter().map(|field| field.name.len() + field.value.len() + 32).sum();
        assert!(kept <= LIMITS.size && list.len() <= LIMITS.fields);
        let fields = |list: &dunlin_http2::HeaderList| {
            let own = |field: dunlin_http2::ReceivedField<'_>| (field.name.to_owned(), field.value.to_vec());
            list.iter().map(own).collect::<Vec<_>>()
        };
        let sent = fields(&list);
        let mut out = Vec::new();
        encoder.encode(sent.iter().map(|(name, value)| Field::new(name, value)), &mut out);
        let back = again.decode(&out, LIMITS).expect("what was encoded can be decoded");
        assert_eq!(fields(&back), sent);
    }
    assert!(decoder.memory() < 256 << 10, "{}", decoder.memory());
}

fn request() -> [Field<'static>; 4] {
    [
        Field::new(":method", "POST"),
        Field::new(":scheme", "http"),
        Field::new(":path", "/a"),
        Field::new(":authority", "b"),
    ]
}

/// Answers requests, in the middle of what is sent to it.
fn answer(connection: &mut Connection, event: &Event<'_>) {
    match event {
        Event::Headers { stream, kind: HeadersKind::Request, end_stream, .. } => {
            let _ = connection.send_headers(*stream, &[Field::new(":status", "200")][..], false);
            let _ = connection.send_data(*stream, vec![1; 40_000].into(), *end_stream);
        }
        Event::Headers { stream, kind: HeadersKind::Trailers, .. } => {
            let _ = connection.send_trailers(*stream, &[Field::new("x-end", "1")][..]);
        }
        Event::Data { stream, data, end_stream } => {
            connection.release(*stream, data.len());
            if *end_stream {
                let _ = connection.send_trailers(*stream, &[Field::new("x-end", "1")][..]);
            }
        }
        Event::Reset { stream, .. } => connection.forget(*stream, ErrorCode::CANCEL),
        _ => {}
    }
}

/// Gives bytes to a server and to a client with open streams, as a peer would that does what it
/// likes: nothing panics, memory stays bounded, and what comes out are frames.
pub fn frames(data: &[u8]) {
    let Some((&split, data)) = data.split_first() else { return };
    let mut now = Instant::now();
    for is_server in [true, false] {
        let config = Config::default().max_concurrent_streams(8);
        let mut connection = match is_server {
            true => Connection::server(config, now),
            false => Connection::client(config, now),
        };
        if !is_server {
            for _ in 0..3 {
                connection.open(&request()[..], false).expect("nothing limits it yet");
            }
        }
        let mut input = if is_server { PREFACE.to_vec() } else { Vec::new() };
        input.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        input.extend_from_slice(data);
        let mut held = Vec::new();
        let mut written = 0;
        for piece in input.chunks(usize::from(split) * 16 + 1) {
            held.extend_from_slice(piece);
            let mut rest = &held[..];
            while let Ok(Some(event)) = connection.poll_event(now, &mut rest) {
                answer(&mut connection, &event);
            }
            held = rest.to_vec();
            now += Duration::from_millis(1);
            let _ = connection.transmit(now);
            let mut out = Vec::new();
            connection.output_mut().take_into(&mut out);
            written += check_frames(if is_server || written > 0 { &out } else { &out[PREFACE.len()..] });
            assert!(held.len() < 9 + 16_384, "no more than a frame is held");
        }
        if let Some(deadline) = connection.poll_timeout(now) {
            let _ = connection.handle_timeout(deadline);
        }
        assert!(connection.memory() < 2 << 20, "{}", connection.memory());
        connection.shut_down(now);
    }
}

/// The bytes are whole frames.
fn check_frames(mut bytes: &[u8]) -> usize {
    let all = bytes.len();
    while !bytes.is_empty() {
        let head = bytes.first_chunk::<9>().expect("a whole frame header");
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        assert!(head[3] <= 9, "a known frame type");
        bytes = bytes.get(9 + len..).expect("a whole frame");
    }
    all
}

/// What a stream has sent and received, at both ends.
#[derive(Debug, Default)]
struct Count {
    sent: usize,
    received: usize,
    has_ended: bool,
    is_reset: bool,
}

/// Two connections with each other, over a link that gives bytes on in pieces; the input says who does
/// what. What arrives is what was sent, and neither side finds a fault with the other.
pub fn pair(data: &[u8]) {
    let mut now = Instant::now();
    let config = || Config::default().initial_window_size(20_000).connection_window_size(65_535);
    let mut sides = [Connection::client(config(), now), Connection::server(config(), now)];
    let mut links: [Vec<u8>; 2] = Default::default();
    // By stream, for each direction.
    let mut counts: std::collections::HashMap<u32, [Count; 2]> = Default::default();
    let mut keys: [Vec<StreamKey>; 2] = Default::default();
    let mut withheld: [Vec<(StreamKey, usize)>; 2] = Default::default();
    let mut pings = 0;
    let mut input = data.iter().copied();
    while let (Some(what), Some(much)) = (input.next(), input.next()) {
        let side = usize::from(what >> 7);
        let size = usize::from(much) * 100;
        let pick = keys[side].get(usize::from(much) % keys[side].len().max(1)).copied();
        match (what & 0x7f) % 9 {
            0 if counts.len() < 40 => {
                if let Ok(key) = sides[0].open(&request()[..], false) {
                    keys[0].push(key);
                    counts.insert(key.id.get(), Default::default());
                }
            }
            1 => {
                let Some(key) = pick else { continue };
                if side == 1 {
                    let _ = sides[1].send_headers(key, &[Field::new(":status", "200")][..], false);
                }
                let bytes = vec![much; size];
                let is_end = what & 0x40 != 0;
                if sides[side].send_data(key, bytes.into(), is_end).is_ok() {
                    let count = &mut counts.get_mut(&key.id.get()).expect("it was opened")[side];
                    count.sent += size;
                }
            }
            2 => {
                let Some(key) = pick else { continue };
                let _ = sides[side].send_trailers(key, &[Field::new("x-t", &[b'a' + much % 26][..])][..]);
            }
            3 => {
                let Some(key) = pick else { continue };
                sides[side].forget(key, ErrorCode::CANCEL);
                for count in counts.get_mut(&key.id.get()).expect("it was opened") {
                    count.is_reset = true;
                }
            }
            4 => {
                for (key, bytes) in std::mem::take(&mut withheld[side]) {
                    sides[side].release(key, bytes);
                }
            }
            // Fewer than the other side takes for an attack.
            5 if pings < 500 => {
                pings += 1;
                sides[side].ping([much; 8]);
            }
            6 if much > 250 => sides[side].shut_down(now),
            _ => exchange(&mut sides, &mut links, side, size + 1, now, &mut counts, &mut keys, &mut withheld),
        }
        now += Duration::from_millis(1);
    }
    // Whatever was held back goes now.
    for _ in 0..2000 {
        for side in [0, 1] {
            for (key, bytes) in std::mem::take(&mut withheld[side]) {
                sides[side].release(key, bytes);
            }
            exchange(&mut sides, &mut links, side, 1 << 20, now, &mut counts, &mut keys, &mut withheld);
        }
        let is_quiet = links.iter().all(Vec::is_empty)
            && sides.iter_mut().all(|side| side.output_mut().is_empty() && !side.has_more());
        if is_quiet && withheld.iter().all(Vec::is_empty) {
            break;
        }
    }
    for (id, directions) in &counts {
        for (side, count) in directions.iter().enumerate() {
            if !count.is_reset && !directions[1 - side].is_reset {
                assert_eq!(count.sent, count.received, "stream {id}, from side {side}: {count:?}");
            }
        }
    }
}

/// Moves bytes of one side to the other, and handles what comes of it.
#[allow(clippy::too_many_arguments)]
fn exchange(
    sides: &mut [Connection; 2],
    links: &mut [Vec<u8>; 2],
    from: usize,
    bytes: usize,
    now: Instant,
    counts: &mut std::collections::HashMap<u32, [Count; 2]>,
    keys: &mut [Vec<StreamKey>; 2],
    withheld: &mut [Vec<(StreamKey, usize)>; 2],
) {
    sides[from].transmit(now).expect("the windows are no crumbs");
    sides[from].output_mut().take_into(&mut links[from]);
    let to = 1 - from;
    let taken = bytes.min(links[from].len());
    let mut input = &links[from][..taken];
    while let Some(event) = sides[to].poll_event(now, &mut input).expect("our own frames are right") {
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, .. } => keys[to].push(stream),
            Event::Data { stream, data, end_stream } => {
                let count = &mut counts.get_mut(&stream.id.get()).expect("it was opened")[from];
                assert!(!count.has_ended, "nothing comes behind the end");
                count.received += data.len();
                count.has_ended = end_stream;
                withheld[to].push((stream, data.len()));
            }
            Event::Reset { stream, .. } => {
                sides[to].forget(stream, ErrorCode::CANCEL);
                for count in counts.get_mut(&stream.id.get()).expect("it was opened") {
                    count.is_reset = true;
                }
            }
            _ => {}
        }
    }
    let left = input.len();
    links[from].drain(..taken - left);
}
