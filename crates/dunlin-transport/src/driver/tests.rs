use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use dunlin_http2::{Config, Field, StreamKey};
use dunlin_testkit::http2::{Block, Frame, PREFACE, bytes, code, kind, read, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::operations::Closed;
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
async fn what_a_reset_frees_is_entered_at_once() {
    let ledger = Ledger::default();
    let mut peer = Peer::connect(&ledger).await;
    peer.ask(600 * KIB).await;
    assert!(ledger.counts().held > 600 * KIB);
    peer.pipe.write_all(&Frame::rst_stream(1, code::CANCEL).to_bytes()).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(ledger.counts().held < 100 * KIB, "{:?}", ledger.counts());
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

/// Counts how often a transport is asked, and what comes of it.
struct Counted {
    pipe: Pipe,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicUsize,
    empty_reads: AtomicUsize,
    writes: AtomicUsize,
}

impl Counts {
    fn take(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Relaxed);
        (take(&self.reads), take(&self.empty_reads), take(&self.writes))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.pipe).poll_read(cx, buf);
        let count = if polled.is_ready() { &self.counts.reads } else { &self.counts.empty_reads };
        count.fetch_add(1, Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.counts.writes.fetch_add(1, Relaxed);
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// A driver over a pipe that counts, whose client has sent its preface and settings.
async fn counted<H>(handler: H, window: u32) -> (Pipe, Arc<Counts>, Handle<H::Operation>)
where
    H: ConnectionHandler + Unpin + Send + 'static,
    H::Operation: Unpin + Send + 'static,
{
    let (mut near, far) = pipe::pair(2 << 20);
    let counts = Arc::new(Counts::default());
    let now = tokio::time::Instant::now().into_std();
    let connection = Connection::server(Config::default(), now);
    let (handle, driver) =
        Driver::new(Counted { pipe: far, counts: Arc::clone(&counts) }, connection, handler);
    tokio::spawn(driver);
    let hello = [Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, window)]), Frame::settings_ack()];
    near.write_all(&[PREFACE.as_slice(), &bytes(&hello)].concat()).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    counts.take();
    (near, counts, handle)
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    let block = Block::new().indexed(2).indexed(6).literal(":path", path);
    Frame::headers(stream, block.literal(":authority", "a")).end_stream().to_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_request_costs_one_read_one_look_for_more_and_one_write() {
    let (mut pipe, counts, _handle) = counted(Sized, 65_535).await;
    for stream in [1, 3, 5] {
        pipe.write_all(&request(stream, "/100")).await.expect("the server reads");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(counts.take(), (1, 1, 1), "stream {stream}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_woken_to_give_back_what_is_much_and_otherwise_never() {
    let (mut pipe, counts, _handle) = counted(Sized, 65_535).await;
    pipe.write_all(&request(1, "/100")).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(counts.take(), (1, 1, 1));
    tokio::time::sleep(3 * IDLE).await;
    assert_eq!(counts.take(), (0, 0, 0));
    let requests: Vec<u8> = (1..51).flat_map(|number| request(2 * number + 1, "/100")).collect();
    pipe.write_all(&requests).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    counts.take();
    tokio::time::sleep(3 * IDLE).await;
    assert!(counts.take().1 > 0, "it gives back what the answers took");
    tokio::time::sleep(3 * IDLE).await;
    assert_eq!(counts.take(), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_together_are_answered_in_one_write() {
    let (mut pipe, counts, _handle) = counted(Sized, 65_535).await;
    let requests: Vec<u8> = (0..50).flat_map(|number| request(2 * number + 1, "/100")).collect();
    pipe.write_all(&requests).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(counts.take(), (1, 1, 1));
}

/// Sends content only in its poll: up to where the connection is congested, and again when it is told that
/// there is room.
#[derive(Default)]
struct Polled {
    stream: Option<StreamKey>,
    left: usize,
}

impl ConnectionHandler for Polled {
    type Operation = ();

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, .. } => {
                let status = [Field::new(":status", "200")];
                connection.send_headers(stream, &status[..], false).expect("a response");
                (self.stream, self.left) = (Some(stream), 1000);
            }
            Event::Drained { stream } => self.stream = Some(stream),
            _ => {}
        }
    }

    fn operation(&mut self, _: &mut Connection, (): (), _: Instant) {}

    fn poll(&mut self, connection: &mut Connection, _: &mut Context<'_>, _: Instant) {
        let Some(stream) = self.stream.take() else { return };
        while self.left > 0 && !connection.is_congested(stream) {
            self.left -= 1;
            connection.send_data(stream, Bytes::from(vec![0; 1000]), self.left == 0).expect("content");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_told_of_room_gets_its_poll() {
    let (mut pipe, _counts, _handle) = counted(Polled::default(), 16 << 20).await;
    let window = Frame::window_update(0, 16 << 20).to_bytes();
    pipe.write_all(&[window, request(1, "/")].concat()).await.expect("the server reads");
    let (mut octets, mut content) = (Vec::new(), 0);
    while content < 1000 * 1000 {
        let mut part = vec![0; 32 << 10];
        let count = tokio::time::timeout(Duration::from_secs(1), pipe.read(&mut part)).await;
        octets.extend_from_slice(&part[..count.expect("more comes").expect("the server writes")]);
        let (frames, _) = read(&octets);
        content =
            frames.iter().filter(|frame| frame.kind == kind::DATA).map(|frame| frame.payload.len()).sum();
    }
}

/// Submits an operation to its own connection for each request, and answers with that.
struct Detour(Arc<std::sync::Mutex<Option<Handle<StreamKey>>>>);

impl ConnectionHandler for Detour {
    type Operation = StreamKey;

    fn event(&mut self, _: &mut Connection, event: Event<'_>, _: Instant) {
        if let Event::Headers { stream, .. } = event {
            let handle = self.0.lock().expect("nothing panics under the lock").clone().expect("the handle");
            assert_eq!(handle.submit(stream).map_err(|Closed(_)| "closed"), Ok(()));
        }
    }

    fn operation(&mut self, connection: &mut Connection, stream: StreamKey, _: Instant) {
        Sized::answer(connection, stream, 10);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_turn_submits_is_done_without_a_wake_up() {
    let slot = Arc::default();
    let (mut pipe, counts, handle) = counted(Detour(Arc::clone(&slot)), 65_535).await;
    *slot.lock().expect("nothing panics under the lock") = Some(handle);
    pipe.write_all(&request(1, "/")).await.expect("the server reads");
    tokio::time::sleep(Duration::from_millis(1)).await;
    // One more look for input, in the turn that answers: a task that is woken would look a third time.
    assert_eq!(counts.take(), (1, 2, 1));
}
