//! Ways to a server in this process: one that can be cut, and one of raw frames.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::Channel;
use dunlin::client::{BoxFuture, Client, ConnectionInfo, Dial, Endpoint, Io, Keepalive};
use dunlin::server::{Builder, InProcess};
use dunlin_testkit::http2::{Block, Frame, PREFACE, bytes, flag, kind, read};
use dunlin_transport::pipe::{self, PipeConnector};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::harness::{self, Seen, UNARY};

pub(crate) fn server(builder: Builder) -> (InProcess, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = builder.methods(|methods| harness::add(methods, Arc::clone(&seen))).build().unwrap();
    (server.in_process(), seen)
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Timers of the runtime have milliseconds.
#[track_caller]
pub(crate) fn assert_about(found: Duration, wanted: Duration) {
    assert!(found >= wanted && found < wanted + Duration::from_millis(20), "{found:?} and not {wanted:?}");
}

/// A way to a server in this process that can be cut without a word to either end.
#[derive(Clone)]
pub(crate) struct Wire {
    connector: PipeConnector,
    is_cut: watch::Sender<bool>,
    dialled: Arc<Mutex<Vec<Instant>>>,
}

impl Wire {
    pub(crate) fn to(server: &InProcess) -> Self {
        let connector = server.connector().clone();
        Self { connector, is_cut: watch::Sender::new(false), dialled: Arc::default() }
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn dials(&self) -> usize {
        self.dialled.lock().unwrap().len()
    }

    pub(crate) fn client(&self, keepalive: impl Into<Option<Keepalive>>) -> Client {
        let builder = Channel::builder("ipv4:127.0.0.1:1").dial(self.clone(), true).keepalive(keepalive);
        Client::new(builder.connect_lazy().unwrap())
    }
}

impl Dial for Wire {
    fn dial<'a>(&'a self, _: &'a Endpoint, _: &'a str) -> BoxFuture<'a, io::Result<(Io, ConnectionInfo)>> {
        Box::pin(async move {
            self.dialled.lock().unwrap().push(Instant::now());
            let (mut far, info) = self.connector.connect().await?;
            let (near, mut wire) = pipe::pair(64 << 10);
            let mut is_cut = self.is_cut.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut wire, &mut far) => {}
                    // Both ends stay open, and nothing gets through.
                    () = async { drop(is_cut.wait_for(|cut| *cut).await) } => std::future::pending().await,
                }
            });
            Ok((Io::Pipe(near), info))
        })
    }
}

/// A client of raw frames.
pub(crate) struct Raw {
    pub(crate) io: Io,
    wire: Vec<u8>,
    frames: Vec<Frame>,
    pub(crate) began: Instant,
    pub(crate) answers_pings: bool,
}

/// The last stream, the code and the text of a GOAWAY, and when it came.
pub(crate) type GoAway = (u32, u32, String, Duration);

impl Raw {
    pub(crate) async fn silent(server: &InProcess) -> Self {
        let (io, _) = server.connector().connect().await.unwrap();
        let (wire, frames) = Default::default();
        Self { io, wire, frames, began: Instant::now(), answers_pings: true }
    }

    pub(crate) async fn connect(server: &InProcess) -> Self {
        let mut raw = Self::silent(server).await;
        raw.io.write_all(PREFACE).await.unwrap();
        raw.send(&[Frame::settings(&[]), Frame::settings_ack()]).await;
        raw
    }

    pub(crate) async fn send(&mut self, frames: &[Frame]) {
        self.io.write_all(&bytes(frames)).await.unwrap();
    }

    pub(crate) async fn request(&mut self, stream: u32, word: &str) {
        let block = Block::of(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", UNARY.path()),
            (":authority", "a"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]);
        let len = word.len() as u8;
        let message = [&[0, 0, 0, 0, len + 2, 0x0a, len], word.as_bytes()].concat();
        self.send(&[Frame::headers(stream, block.octets()), Frame::data(stream, message).end_stream()]).await;
    }

    /// The next frame of a kind, whatever came before it; or `None` at the end of the connection.
    pub(crate) async fn next(&mut self, wanted: u8) -> Option<Frame> {
        loop {
            if let Some(place) = self.frames.iter().position(|frame| frame.kind == wanted) {
                return Some(self.frames.remove(place));
            }
            let mut buffer = [0; 4096];
            let count = self.io.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.wire.extend_from_slice(&buffer[..count]);
            let (frames, rest) = read(&self.wire);
            self.wire.drain(..self.wire.len() - rest);
            let is_asked = |frame: &&Frame| frame.kind == kind::PING && frame.flags & flag::ACK == 0;
            let answer = |frame: &Frame| Frame::ping_ack(frame.payload[..].try_into().unwrap());
            if self.answers_pings {
                let answers: Vec<_> = frames.iter().filter(is_asked).map(answer).collect();
                self.send(&answers).await;
            }
            self.frames.extend(frames);
        }
    }

    pub(crate) async fn goaway(&mut self) -> Option<GoAway> {
        let frame = self.next(kind::GOAWAY).await?;
        let number = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
        let text = String::from_utf8(frame.payload[8..].to_vec()).unwrap();
        Some((number(0), number(4), text, self.began.elapsed()))
    }
}
