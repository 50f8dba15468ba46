//! One connection, of frames that need not be valid.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dunlin_testkit::http2::{Block, Frame, PREFACE, code, flag, kind, read};

/// Whether there is a reason to go on.
pub type Flow = ControlFlow<Stop>;

/// Why nothing more is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// GOAWAY came, or the connection is closed.
    Ended,
    /// The time is up.
    Deadline,
    /// The server takes nothing more.
    Stalled,
    /// The server has nothing that this attack could be made with.
    Impossible(&'static str),
}

/// What the server has sent.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The code and the text of the last GOAWAY.
    pub goaway: Option<(u32, String)>,
    /// The server has closed its side, or reset the connection.
    pub is_closed: bool,
    /// RST_STREAM frames, by their code.
    pub resets: BTreeMap<u32, u64>,
    /// HEADERS frames.
    pub headers: u64,
    /// Streams that have ended with END_STREAM.
    pub ended: u64,
    /// Bytes of DATA.
    pub data: u64,
    /// Answers to PING.
    pub pongs: u64,
    /// SETTINGS that are no acknowledgement.
    pub settings: u64,
    /// The last stream that has ended, by END_STREAM or RST_STREAM.
    pub last_ended: u32,
}

/// So long may a server take nothing while we do not read either.
const STALL: Duration = Duration::from_secs(2);
/// Queued bytes above which they are written.
const BATCH: usize = 4096;
/// The longest that anything is waited for without a look around.
const PAUSE: Duration = Duration::from_micros(300);

/// A connection, as a client or a server of raw frames.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    out: Vec<u8>,
    unread: Vec<u8>,
    deadline: Instant,
    /// A client that never reads lets the answers pile up.
    pub is_reading: bool,
    /// Whether SETTINGS and PING are answered.
    pub is_answering: bool,
    /// What is asked for.
    pub path: String,
    /// What gives a long answer, if the server has that.
    pub large: Option<String>,
    /// How long an attack that waits goes on.
    pub patience: Duration,
    /// Frames that were sent, without those of the handshake.
    pub frames: u64,
    /// What came back.
    pub seen: Seen,
    next_stream: u32,
}

impl Session {
    /// Connects, and sends nothing.
    ///
    /// # Errors
    /// There is no connection.
    pub fn connect(address: SocketAddr, time: Duration) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, Duration::from_secs(2))?, time)
    }

    /// Over a connection that is there.
    ///
    /// # Errors
    /// The socket takes no options.
    pub fn over(stream: TcpStream, time: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            out: Vec::new(),
            unread: Vec::new(),
            deadline: Instant::now() + time,
            is_reading: true,
            is_answering: true,
            path: "/".to_owned(),
            large: None,
            patience: Duration::from_secs(1),
            frames: 0,
            seen: Seen::default(),
            next_stream: 1,
        })
    }

    /// Sends the preface with these settings, and acknowledges those of the server.
    pub fn hello(&mut self, settings: &[(u16, u32)]) -> Flow {
        self.raw(PREFACE)?;
        self.raw(&Frame::settings(settings).to_bytes())?;
        self.flush()?;
        self.wait_for(Duration::from_secs(2), |seen| seen.settings > 0)
    }

    /// The next stream that was not used yet.
    pub fn next_stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    /// The fields of a request for `path`, as gRPC makes it, which other servers take as well.
    pub fn request_block(&self, path: &str) -> Block {
        // :method POST and :scheme http stand in the static table.
        Block::new()
            .indexed(3)
            .indexed(6)
            .literal(":path", path)
            .literal(":authority", "localhost")
            .literal("content-type", "application/grpc")
            .literal("te", "trailers")
    }

    /// A request that goes on: DATA may follow.
    pub fn request(&self, stream: u32) -> Frame {
        Frame::headers(stream, self.request_block(&self.path))
    }

    /// A request with everything that the large answer needs: one empty gRPC message.
    pub fn ask_large(&mut self) -> ControlFlow<Stop, u32> {
        let Some(path) = self.large.clone() else {
            return ControlFlow::Break(Stop::Impossible("no large answer"));
        };
        let stream = self.next_stream();
        self.send(&[
            Frame::headers(stream, self.request_block(&path)),
            Frame::data(stream, [0; 5]).end_stream(),
        ])?;
        ControlFlow::Continue(stream)
    }

    /// Sends frames, not necessarily at once.
    pub fn send(&mut self, frames: &[Frame]) -> Flow {
        for frame in frames {
            self.out.extend_from_slice(&frame.to_bytes());
            self.frames += 1;
        }
        if self.out.len() < BATCH {
            return Flow::Continue(());
        }
        self.flush()?;
        if self.is_reading {
            // Else a server's answer would come long after its cause.
            std::thread::sleep(PAUSE);
        }
        Flow::Continue(())
    }

    /// Sends the frames of each of `count` rounds.
    pub fn repeat<const N: usize>(
        &mut self,
        count: u32,
        mut round: impl FnMut(&mut Self, u32) -> [Frame; N],
    ) -> Flow {
        for index in 0..count {
            let frames = round(self, index);
            self.send(&frames)?;
        }
        self.flush()
    }

    /// Sends octets that are no whole frames.
    pub fn raw(&mut self, octets: &[u8]) -> Flow {
        self.out.extend_from_slice(octets);
        Flow::Continue(())
    }

    /// Writes all that is queued, and reads what has come.
    pub fn flush(&mut self) -> Flow {
        let out = std::mem::take(&mut self.out);
        let mut left = &out[..];
        let mut moved_at = Instant::now();
        loop {
            let mut has_moved = self.is_reading && self.read();
            if self.has_ended() {
                return Flow::Break(Stop::Ended);
            }
            match self.stream.write(left) {
                _ if left.is_empty() => break,
                Ok(0) => {}
                Ok(count) => {
                    left = &left[count..];
                    has_moved = true;
                }
                Err(error) if is_temporary(&error) => {}
                Err(_) => {
                    // What the server has said before it closed may still be there.
                    while self.read() {}
                    self.seen.is_closed = true;
                    return Flow::Break(Stop::Ended);
                }
            }
            self.pause(has_moved, &mut moved_at)?;
        }
        // What was queued as an answer meanwhile.
        if self.out.is_empty() { Flow::Continue(()) } else { self.flush() }
    }

    /// Reads until `is_there`. It is no fault if it never is.
    pub fn wait_for(&mut self, time: Duration, is_there: impl Fn(&Seen) -> bool) -> Flow {
        let until = Instant::now() + time;
        while !is_there(&self.seen) && Instant::now() < until {
            self.flush()?;
            if !self.read() && !is_there(&self.seen) {
                std::thread::sleep(PAUSE);
            }
            if self.has_ended() {
                return Flow::Break(Stop::Ended);
            }
            if Instant::now() > self.deadline {
                return Flow::Break(Stop::Deadline);
            }
        }
        self.flush()
    }

    /// Closes both directions.
    pub fn close(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// More time, for what follows an attack.
    pub fn extend(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// Whether the server has ended the connection. It may also say that it is about to, and go on.
    pub fn has_ended(&self) -> bool {
        self.seen.is_over()
    }

    fn pause(&self, has_moved: bool, moved_at: &mut Instant) -> Flow {
        let now = Instant::now();
        if now > self.deadline {
            return Flow::Break(Stop::Deadline);
        }
        if has_moved {
            *moved_at = now;
        } else if now - *moved_at > STALL {
            return Flow::Break(Stop::Stalled);
        } else {
            std::thread::sleep(PAUSE);
        }
        Flow::Continue(())
    }

    /// Takes in what has come. Whether there was something.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 32 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.seen.is_closed = true,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                // A server gets the client's preface before frames.
                if self.unread.starts_with(PREFACE) {
                    self.unread.drain(..PREFACE.len());
                }
                let (frames, rest) = read(&self.unread);
                self.unread.drain(..self.unread.len() - rest);
                frames.iter().for_each(|frame| self.take_in(frame));
                return true;
            }
            Err(error) if is_temporary(&error) => {}
            Err(_) => self.seen.is_closed = true,
        }
        false
    }

    fn take_in(&mut self, frame: &Frame) {
        let number = |at: usize| {
            let octets = frame.payload.get(at..at + 4).and_then(|octets| octets.try_into().ok());
            octets.map_or(u32::MAX, u32::from_be_bytes)
        };
        let mut answer = None;
        let seen = &mut self.seen;
        match frame.kind {
            kind::GOAWAY => {
                let text = String::from_utf8_lossy(frame.payload.get(8..).unwrap_or_default());
                seen.goaway = Some((number(4), text.into_owned()));
            }
            kind::RST_STREAM => {
                *seen.resets.entry(number(0)).or_default() += 1;
                seen.last_ended = frame.stream;
            }
            kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                seen.settings += 1;
                answer = Some(Frame::settings_ack());
            }
            kind::PING if frame.flags & flag::ACK == 0 => {
                answer = frame.payload.first_chunk().map(|opaque| Frame::ping_ack(*opaque));
            }
            kind::PING => seen.pongs += 1,
            kind::HEADERS => seen.headers += 1,
            kind::DATA => seen.data += frame.payload.len() as u64,
            _ => {}
        }
        if matches!(frame.kind, kind::HEADERS | kind::DATA) && frame.flags & flag::END_STREAM != 0 {
            seen.ended += 1;
            seen.last_ended = frame.stream;
        }
        if let Some(answer) = answer.filter(|_| self.is_answering) {
            self.out.extend_from_slice(&answer.to_bytes());
        }
    }
}

impl Seen {
    /// Whether the server has ended the connection.
    pub fn is_over(&self) -> bool {
        self.is_closed || self.goaway.as_ref().is_some_and(|(reason, _)| *reason != code::NO_ERROR)
    }

    /// RST_STREAM frames of any code but NO_ERROR.
    pub fn faults(&self) -> u64 {
        self.resets.iter().filter(|(reason, _)| **reason != code::NO_ERROR).map(|(_, count)| count).sum()
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
