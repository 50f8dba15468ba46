use bytes::Bytes;
use dunlin_http2::{Config, Field, StreamKey};
use dunlin_testkit::http2::{Block, Frame, PREFACE, bytes, code, kind, read, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::pipe::{self, Pipe};

/// Answers a request at once, with so much content as its path says.
struct Sized;

impl Sized {
    fn answer(connection: &mut Connection, stream: StreamKey, len: usize) {
        let status = [Field::new(":status", "200")];
        connection.send_headers(stream, &status[..], false).expect("a response");
        connection.send_data(stream, Bytes::from(vec![0; len]), true).expect("content");
    }
}

impl ConnectionHandler for Sized {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        if let Event::Headers { stream, headers, .. } = event {
            let len = headers.path().and_then(|path| path[1..].parse().ok());
            Self::answer(connection, stream, len.expect("a path that is a number"));
        }
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}
}

/// A connection whose peer reads nothing of its own accord.
struct Peer {
    pipe: Pipe,
    driver: JoinHandle<CloseReason>,
    streams: u32,
}

impl Peer {
    async fn connect(ledger: &Ledger) -> Self {
        Self::with_window(ledger, 0).await
    }

    async fn with_window(ledger: &Ledger, window: u32) -> Self {
        let (near, far) = pipe::pair(4 << 10);
        let now = tokio::time::Instant::now().into_std();
        let connection = Connection::server(Config::default(), now);
        let (_, driver) = Driver::new(far, connection, Sized);
        let mut peer = Self { pipe: near, driver: tokio::spawn(driver.with_ledger(ledger)), streams: 0 };
        let hello = [Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, window)]), Frame::settings_ack()];
        peer.pipe.write_all(&[PREFACE.as_slice(), &bytes(&hello)].concat()).await.expect("the server reads");
        peer
    }

    /// Asks for so many octets, and gives the server the time to answer.
    async fn ask(&mut self, len: usize) {
        let block = Block::new().indexed(2).indexed(6).literal(":path", format!("/{len}"));
        let stream = 2 * self.streams + 1;
        self.streams += 1;
        let request = Frame::headers(stream, block.literal(":authority", "a")).end_stream();
        self.pipe.write_all(&request.to_bytes()).await.expect("the server reads");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// What the server has written until it closed the connection.
    async fn read(mut self) -> (Vec<Frame>, CloseReason) {
        let mut octets = Vec::new();
        self.pipe.read_to_end(&mut octets).await.expect("the server closes");
        drop(self.pipe);
        (read(&octets).0, self.driver.await.expect("the driver does not panic"))
    }
}

const KIB: usize = 1 << 10;

#[tokio::test(start_paused = true)]
async fn a_connection_that_sleeps_gives_way_when_others_need_its_memory() {
    let ledger = Ledger::new(1000 * KIB);
    let mut first = Peer::connect(&ledger).await;
    first.ask(600 * KIB).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!first.driver.is_finished(), "it has the memory to itself");

    let (mut second, mut third) = (Peer::connect(&ledger).await, Peer::connect(&ledger).await);
    second.ask(250 * KIB).await;
    third.ask(250 * KIB).await;
    assert!(ledger.counts().held > ledger.max_memory());
    tokio::time::sleep(LOOK).await;
    assert!(ledger.counts().held < 600 * KIB, "{:?}", ledger.counts());
    assert_eq!(ledger.counts().ended, 1);
    let (frames, reason) = first.read().await;
    assert_eq!(reason.to_string(), "the peer broke the protocol");
    let cause = std::error::Error::source(&reason).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("more than `max_memory` allows (1024000)"));
    let last = frames.last().expect("GOAWAY");
    assert_eq!((last.kind, &last.payload[4..8]), (kind::GOAWAY, &code::ENHANCE_YOUR_CALM.to_be_bytes()[..]));
    assert!(!second.driver.is_finished() && !third.driver.is_finished());

    // When they are gone, nothing is left.
    for peer in [second, third] {
        drop(peer.pipe);
        assert!(matches!(peer.driver.await, Ok(CloseReason::ByPeer)));
    }
    assert_eq!((ledger.counts().held, ledger.counts().connections), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_an_idle_connection_gives_back_is_entered() {
    let ledger = Ledger::default();
    let mut peer = Peer::with_window(&ledger, 65_535).await;
    // It takes content late, so the output has to hold some: less than what is looked after each second.
    for _ in 0..3 {
        peer.ask(3000).await;
    }
    let mut seen = vec![0; 9_000];
    peer.pipe.read_exact(&mut seen).await.expect("most of the answers");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let busy = ledger.counts().held;
    tokio::time::sleep(2 * IDLE).await;
    assert!(ledger.counts().held < busy, "{} of {busy}", ledger.counts().held);
}

#[tokio::test(start_paused = true)]
async fn a_connection_above_its_share_gets_no_new_streams_while_memory_is_short() {
    let ledger = Ledger::new(1000 * KIB);
    let (mut small, mut large) = (Peer::connect(&ledger).await, Peer::connect(&ledger).await);
    small.ask(300 * KIB).await;
    large.ask(600 * KIB).await;
    // Each hears of it in its own turn.
    large.ask(1).await;
    small.ask(1).await;
    large.ask(1).await;
    drop(ledger);
    let refused = |frames: &[Frame]| -> Vec<Frame> {
        frames.iter().filter(|frame| frame.kind == kind::RST_STREAM).cloned().collect()
    };
    let mut seen = Vec::new();
    for mut peer in [small, large] {
        peer.pipe.shutdown().await.expect("the server reads");
        let (frames, _) = peer.read().await;
        seen.push(refused(&frames));
    }
    let refusals = [3, 5].map(|stream| Frame::rst_stream(stream, code::REFUSED_STREAM));
    assert_eq!(seen, [vec![], refusals.to_vec()]);
}
